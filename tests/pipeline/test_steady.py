"""Steady: a texture that trembles is calmed as it moves along, and what changes is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from megafs_video.geometry.flow import head_flow, head_view
from megafs_video.geometry.squares import Square
from megafs_video.pipeline.profile import PROFILES
from megafs_video.pipeline.steady import Steady, at_frame_scale
from megafs_video.values import Frame, FrameFaces, SwappedCrop, UInt8Array
from tests.geometry.moving import HEIGHT, WIDTH, moved, texture
from tests.pipeline.fakes import TIME_BASE, frame_to_crop, make_mask

SIDE = 64.0  # pixels of the frame, and of the pictures
LIGHT = PROFILES["light"]
SEEN = np.s_[:, 18:-18, 18:-18]  # what the mask shows of the pictures, less its soft edge


def face(
    pixels: UInt8Array,
    x: float = WIDTH / 2,
    track_id: int = 0,
    scene_x: float = 0.0,
    last: tuple[int, float] | None = None,
) -> SwappedCrop:
    """A generated picture that fills a square of the frame, whose scene moved to the right.

    ``last`` is the number of the frame that showed it last, and how far the scene had moved there.
    """
    place = frame_to_crop((x, HEIGHT / 2), SIDE)
    motion = None
    if last is not None:
        square = Square(WIDTH / 2 + last[1], HEIGHT / 2, SIDE, 0.0)
        before, now = (head_view(moved(texture(), x, 0), square) for x in (last[1], scene_x))
        motion = head_flow(before, frame(last[0]).seconds, now, square)
    return SwappedCrop(track_id, pixels, make_mask(), place, motion=motion)


def still(pictures: Sequence[UInt8Array]) -> list[FrameFaces[SwappedCrop]]:
    """Frames of one scene, with a generated picture each."""
    return [
        FrameFaces(frame(i), (face(each, last=(i - 1, 0.0) if i else None),))
        for i, each in enumerate(pictures)
    ]


def passing(
    pictures: Sequence[UInt8Array], step_x: float, *, follows: bool
) -> list[FrameFaces[SwappedCrop]]:
    """Frames of a scene that moves; the crop follows it, or stays where it is."""
    return [
        FrameFaces(
            frame(i, step_x * i),
            (
                face(
                    each,
                    WIDTH / 2 + (step_x * i if follows else 0.0),
                    scene_x=step_x * i,
                    last=(i - 1, step_x * (i - 1)) if i else None,
                ),
            ),
        )
        for i, each in enumerate(pictures)
    ]


def frame(index: int, x: float = 0.0) -> Frame:
    """The same scene, moved to the right."""
    return Frame(moved(texture(), x, 0), index, TIME_BASE)


def noisy(count: int, deviation: float = 8.0) -> list[UInt8Array]:
    """One picture, each time with other noise."""
    chance = np.random.default_rng(1)
    picture = texture(seed=5)[:64, :64]
    return [
        np.clip(picture + chance.normal(0, deviation, picture.shape), 0, 255).astype(np.uint8)
        for _ in range(count)
    ]


def steadied(items: Sequence[FrameFaces[SwappedCrop]]) -> list[UInt8Array]:
    """The picture of the only face of each frame."""
    return [item.faces[0].pixels for item in Steady(LIGHT)(iter(items))]


def test_off_gives_the_same_objects() -> None:
    items = [FrameFaces(frame(index), (face(each),)) for index, each in enumerate(noisy(3))]
    for name in ("off", "none"):
        stage = Steady(PROFILES[name])
        assert all(a is b for a, b in zip(stage(iter(items)), items, strict=True))
        assert stage.lookahead == 0


def test_a_texture_that_trembles_is_calmed() -> None:
    pictures = noisy(30)
    found = steadied(still(pictures))
    np.testing.assert_array_equal(found[0], pictures[0])
    before, after = (np.stack(each[10:])[SEEN].astype(float) for each in (pictures, found))
    # A memory of 6 frames leaves sqrt((1 - a) / (1 + a)) of white noise, a being exp(-1 / 6).
    assert after.std(axis=0).mean() < 0.4 * before.std(axis=0).mean()
    np.testing.assert_allclose(after.mean(axis=0), before.mean(axis=0), atol=8)


def test_what_moves_with_the_picture_is_not_blurred() -> None:
    # The face goes to the right and its crop stays: in the crop, the texture moves.
    pictures = [moved(texture(), 2 * index, 0)[16:80, 32:96] for index in range(8)]
    items = passing(pictures, 2.0, follows=False)
    for found, wanted in zip(steadied(items), pictures, strict=True):
        inner = np.abs(found.astype(float) - wanted)[16:-16, 20:-16]
        assert inner.mean() < 3


def test_a_crop_that_moves_with_the_face_keeps_its_texture() -> None:
    picture = texture(seed=5)[:64, :64]
    items = passing([picture] * 8, 2.0, follows=True)
    for found in steadied(items):
        assert np.abs(found.astype(float) - picture)[12:-12, 12:-12].mean() < 3


def test_what_changes_by_much_is_shown_at_once() -> None:
    shut, opened = (np.full((64, 64, 3), level, np.uint8) for level in (160, 160))
    opened[40:56, 20:44] = 30  # a mouth
    found = steadied(still([shut] * 4 + [opened]))[-1]
    np.testing.assert_allclose(found[44:52, 26:38], 30, atol=2)


def test_a_cut_and_a_track_that_was_away_begin_anew_and_faces_do_not_mix() -> None:
    first, second, third = noisy(3, deviation=20)
    late = Frame(texture(), 40, TIME_BASE)
    items = [
        FrameFaces(frame(0), (face(first),)),
        FrameFaces(frame(1), (face(second, track_id=1, last=(0, 0.0)),)),
        # The first track: what is remembered is of another frame than the flow begins in.
        FrameFaces(late, (face(third, last=(39, 0.0)), face(second, track_id=2))),
    ]
    for before, after in zip(items, Steady(LIGHT)(iter(items)), strict=True):
        for one, other in zip(before.faces, after.faces, strict=True):
            np.testing.assert_array_equal(one.pixels, other.pixels)


def test_flow_from_another_frame_than_the_remembered_one_is_not_followed() -> None:
    first, second = noisy(2)
    for since, is_mixed in ((0, True), (1, False)):
        items = [
            FrameFaces(frame(0), (face(first),)),
            FrameFaces(frame(2), (face(second, last=(since, 0.0)),)),
        ]
        assert (steadied(items)[-1] != second).any() == is_mixed


def test_frames_come_one_for_one_and_none_waits() -> None:
    given = 0

    def items() -> Iterator[FrameFaces[SwappedCrop]]:
        nonlocal given
        for index in range(6):
            given += 1
            yield FrameFaces(frame(index), (face(noisy(1)[0]),) if index % 2 else ())

    for count, item in enumerate(Steady(LIGHT)(items()), start=1):
        assert given == count and len(item.faces) == (count - 1) % 2


def test_what_the_mask_hides_is_left_alone() -> None:
    items = still(noisy(3))
    for before, after in zip(items, Steady(LIGHT)(iter(items)), strict=True):
        was, now = before.faces[0].pixels, after.faces[0].pixels
        np.testing.assert_array_equal(now[:10], was[:10])
        np.testing.assert_array_equal(now[:, -10:], was[:, -10:])
    hidden = replace(face(noisy(1)[0]), mask=np.zeros_like(make_mask()))
    for item in Steady(LIGHT)(FrameFaces(frame(i), (hidden,)) for i in range(2)):
        assert item.faces[0] is hidden


@pytest.mark.parametrize(("size", "wanted"), [(128, 64), (150, 64), (64, 64), (40, 40)])
def test_a_picture_is_no_larger_than_it_is_shown(size: int, wanted: int) -> None:
    swapped = replace(face(np.full((size, size, 3), 77, np.uint8)))
    found = at_frame_scale(swapped)
    assert found.pixels.shape == (wanted, wanted, 3) and np.all(found.pixels == 77)
    assert (found is swapped) == (size == wanted)
