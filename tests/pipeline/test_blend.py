"""Faces go back into their frame, and nothing else changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from megafs_video.pipeline.blend import Blend
from megafs_video.pipeline.profile import PROFILES, Profile
from megafs_video.values import FloatArray, Frame, FrameFaces, SwappedCrop, UInt8Array
from tests.pipeline.fakes import (
    CROP_SIZE,
    FRAME_HEIGHT,
    FRAME_WIDTH,
    TIME_BASE,
    frame_to_crop,
    make_frame,
    make_swapped,
)


def blended(frame: Frame, *faces: SwappedCrop) -> UInt8Array:
    [item] = Blend()(iter([FrameFaces(frame, faces)]))
    return item.frame.shown


def box_of_mask(center_xy: tuple[float, float], side: float) -> FloatArray:
    """Where the mask of the fakes can reach in the frame, bool [H, W]; a pixel of margin."""
    x, y = np.meshgrid(np.arange(FRAME_WIDTH), np.arange(FRAME_HEIGHT))
    reach = side / 4 + 1
    return (abs(x - center_xy[0]) <= reach) & (abs(y - center_xy[1]) <= reach)  # type: ignore[return-value]


def test_outside_the_mask_every_bit_stays() -> None:
    frame = make_frame()
    after = blended(frame, make_swapped(center_xy=(60.0, 45.0), side=50.0))
    inside = box_of_mask((60.0, 45.0), 50.0)
    np.testing.assert_array_equal(after[~inside], frame.pixels[~inside])
    assert (after[40:50, 55:65] != frame.pixels[40:50, 55:65]).any()


@pytest.mark.parametrize("level", range(0, 256, 15))
def test_no_level_is_changed_where_the_mask_is_zero(level: int) -> None:
    frame = Frame(np.full((40, 40, 3), level, np.uint8), 0, Fraction(1, 30))
    after = blended(frame, make_swapped(level=255 - level, center_xy=(20.0, 20.0), side=40.0))
    np.testing.assert_array_equal(after[:8], level)


def test_the_frame_that_came_in_is_not_written_to() -> None:
    frame = make_frame()
    before = frame.pixels.copy()
    after = blended(frame, make_swapped())
    np.testing.assert_array_equal(frame.pixels, before)
    assert after is not frame.pixels


@pytest.mark.parametrize("profile", [None, PROFILES["strong"]])
def test_a_frame_without_a_face_is_the_same_object(profile: Profile | None) -> None:
    frame = make_frame()
    [item] = Blend(profile)(iter([FrameFaces(frame, ())]))
    assert item.frame is frame


def levels_after(target_levels: Sequence[int], profile: Profile | None) -> FloatArray:
    """The level in the middle of a flat face that goes into frames of these levels, [T]."""
    items = [
        FrameFaces(
            Frame(np.full((FRAME_HEIGHT, FRAME_WIDTH, 3), level, np.uint8), index, TIME_BASE),
            (make_swapped(level=128, center_xy=(60.0, 45.0)),),
        )
        for index, level in enumerate(target_levels)
    ]
    return np.array([item.frame.shown[45, 60, 0] for item in Blend(profile)(iter(items))])


def test_colours_that_tremble_are_calmed() -> None:
    levels = [100 + 12 * (index % 2) for index in range(40)]
    np.testing.assert_allclose(levels_after(levels, None), levels, atol=1)
    assert np.ptp(levels_after(levels, PROFILES["strong"])[4:-4]) <= 3


def test_light_that_changes_evenly_is_followed_up_to_both_ends() -> None:
    levels = list(range(80, 140, 2))
    np.testing.assert_allclose(levels_after(levels, PROFILES["strong"]), levels, atol=1)


def test_time_is_handed_on() -> None:
    frame = make_frame(7)
    [item] = Blend()(iter([FrameFaces(frame, (make_swapped(),))]))
    assert (item.frame.pts, item.frame.time_base) == (frame.pts, frame.time_base)


def ramp_picture(size: int) -> UInt8Array:
    """Grows from left to right and from top to bottom; blue stays."""
    steps = np.linspace(60, 180, size)
    red, green = np.meshgrid(steps, steps)
    return np.stack([red, green, np.full_like(red, 120)], axis=-1).round().astype(np.uint8)


@pytest.mark.parametrize("size", [32, 64, 100, 256], ids=lambda size: f"{size} px")
@pytest.mark.parametrize("side", [30.0, 64.0, 90.0])
def test_the_picture_lands_where_it_belongs(size: int, side: float) -> None:
    # The frame already shows the picture: drawn in the right place, it changes nothing.
    place = frame_to_crop((60.0, 45.0), side)
    x, y = np.meshgrid(np.arange(FRAME_WIDTH), np.arange(FRAME_HEIGHT))
    # Where a frame pixel lies in the picture, 0 to 1, its edges being the picture's.
    across = (place[0, 0] * x + place[0, 2] + 0.5) / CROP_SIZE
    down = (place[1, 1] * y + place[1, 2] + 0.5) / CROP_SIZE
    shown = [60 + 120 * across, 60 + 120 * down, np.full(x.shape, 120.0)]
    frame = Frame(
        np.clip(np.stack(shown, -1), 0, 255).round().astype(np.uint8), 0, make_frame().time_base
    )
    after = blended(frame, replace(make_swapped(), pixels=ramp_picture(size), frame_to_crop=place))
    error = np.abs(after.astype(int) - frame.pixels)
    # A ramp of 120 levels over 30 pixels has 4 levels a pixel: less than half a pixel off.
    assert error.max() <= max(2, 60 / side)


def test_the_face_takes_the_light_that_falls_on_the_target() -> None:
    across = np.linspace(40, 200, FRAME_WIDTH).round().astype(np.uint8)  # lit from the right
    lit = np.broadcast_to(across[None, :, None], (FRAME_HEIGHT, FRAME_WIDTH, 3))
    frame = Frame(np.ascontiguousarray(lit), 0, TIME_BASE)
    after = blended(frame, make_swapped(level=90, center_xy=(60.0, 45.0), side=80.0))
    # The picture that went in is flat: its own noise of ±20 is all that is left.
    inside = box_of_mask((60.0, 45.0), 60.0)
    rows, columns = np.nonzero(inside)
    np.testing.assert_allclose(
        np.polyfit(columns, after[rows, columns, 0], 1)[0],
        np.polyfit(np.arange(120), across, 1)[0],
        rtol=0.1,
    )


def test_the_face_takes_the_colours_of_the_frame() -> None:
    frame = make_frame(level=80)
    after = blended(frame, make_swapped(level=200, center_xy=(60.0, 45.0), side=60.0))
    centre = after[40:50, 55:65].reshape(-1, 3)
    np.testing.assert_allclose(centre.mean(axis=0), 80, atol=3)  # the mean of noise of ±20


def test_faces_are_drawn_in_order() -> None:
    frame = make_frame()
    first, second = make_swapped(0), make_swapped(1)
    both = blended(frame, first, second)
    one_by_one = blended(Frame(blended(frame, first), 0, frame.time_base), second)
    np.testing.assert_array_equal(both, one_by_one)


def test_only_what_is_drawn_is_copied() -> None:
    frame = make_frame()
    faces = (make_swapped(0, center_xy=(40.0, 40.0)), make_swapped(1, center_xy=(70.0, 50.0)))
    [item] = Blend()(iter([FrameFaces(frame, faces)]))
    assert item.frame.pixels is frame.pixels and item.frame.patch is not None
    height, width = item.frame.patch.pixels.shape[:2]
    assert height < FRAME_HEIGHT and width < FRAME_WIDTH
    [item] = Blend()(iter([FrameFaces(frame, (make_swapped(center_xy=(500.0, 45.0)),))]))
    assert item.frame is frame  # out of sight


@pytest.mark.parametrize(
    "center_xy", [(0.0, 45.0), (119.0, 45.0), (60.0, 0.0), (60.0, 89.0), (0.0, 0.0)]
)
def test_a_face_cut_by_the_border_is_drawn_as_far_as_it_is_inside(
    center_xy: tuple[float, float],
) -> None:
    frame = make_frame(level=80)
    after = blended(frame, make_swapped(center_xy=center_xy, side=60.0, level=200))
    inside = box_of_mask(center_xy, 60.0)
    np.testing.assert_array_equal(after[~inside], frame.pixels[~inside])
    assert (after[inside] != frame.pixels[inside]).any()


def test_a_face_beyond_the_border_changes_nothing() -> None:
    frame = make_frame()
    after = blended(frame, make_swapped(center_xy=(500.0, 45.0)))
    np.testing.assert_array_equal(after, frame.pixels)


def test_an_empty_mask_changes_nothing() -> None:
    frame, swapped = make_frame(), make_swapped()
    empty = replace(swapped, mask=np.zeros_like(swapped.mask))
    np.testing.assert_array_equal(blended(frame, empty), frame.pixels)
