"""Codes over time: each part by its filter, never across cuts or faces, and switched off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from megafs_video.pipeline.profile import PROFILES
from megafs_video.pipeline.smooth import Smooth
from megafs_video.trajectories.filters import Filter, Sample, Trajectory
from megafs_video.values import EncodedFace, FloatArray, FrameFaces, Latents
from tests.pipeline.fakes import make_encoded, make_frame

Clip = list[FrameFaces[EncodedFace]]


def clip_of(
    values: Sequence[float], *, pts: Sequence[int] | None = None, track_id: int = 0
) -> Clip:
    """One face a frame, its codes all of one value."""
    return [
        FrameFaces(
            make_frame(index, pts=None if pts is None else pts[index]),
            (make_encoded(track_id, value=value),),
        )
        for index, value in enumerate(values)
    ]


def styles_of(items: Clip) -> FloatArray:
    """The first number of each style code, [T, L]."""
    return np.stack([item.faces[0].latents.styles[0, :, 0].numpy() for item in items])


def constants_of(items: Clip) -> FloatArray:
    """The first number of C, [T]."""
    return np.stack([item.faces[0].latents.constant[0, 0, 0, 0].numpy() for item in items])


@pytest.mark.parametrize("name", [name for name, profile in PROFILES.items() if profile])
@pytest.mark.parametrize("is_even", [True, False], ids=["constant rate", "variable rate"])
def test_each_part_of_the_codes_is_filtered_as_its_profile_says(name: str, is_even: bool) -> None:
    chance = np.random.default_rng(0)
    values = chance.normal(size=40).astype(np.float32)
    pts = np.arange(40) if is_even else np.cumsum(chance.integers(1, 4, 40))
    profile = PROFILES[name]
    assert profile is not None
    found = list(Smooth(profile, 20)(iter(clip_of(values.tolist(), pts=pts.tolist()))))

    def alone(filter: Filter[Any]) -> FloatArray:
        trajectory = Trajectory(filter, 20)
        for tick, value in zip(pts, values, strict=True):
            trajectory.push(Sample(tick / 30, np.array([value], np.float64), unit=abs(value)))
        return np.array([trajectory.pop()[0] for _ in pts])

    inner = slice(None, -20)  # where as many frames were ahead
    np.testing.assert_allclose(
        constants_of(found)[inner], alone(profile.constant)[inner], atol=1e-6
    )
    styles = styles_of(found)
    parts = [profile.coarse] * 3 + [profile.middle] * 3  # 4 px | 8 8 | 16 16 | 32
    for index, filter in enumerate(parts):
        np.testing.assert_allclose(styles[inner, index], alone(filter)[inner], atol=1e-6)


def test_codes_from_64_pixels_on_are_fine() -> None:
    profile = PROFILES["strong"]
    assert profile is not None
    chance = torch.Generator().manual_seed(0)
    clip = [
        FrameFaces(
            make_frame(index),
            (
                replace(
                    make_encoded(),
                    latents=Latents(
                        torch.zeros(1, 8, 4, 4), torch.randn(1, 16, 64, generator=chance)
                    ),
                ),
            ),
        )
        for index in range(60)
    ]
    smooth = [item.faces[0].latents.styles[0] for item in Smooth(profile)(iter(clip))]
    left = torch.stack(smooth[8:-8]).std(dim=0).mean(dim=1)  # [16], of 1 that there was
    # 4 | 8 8 | 16 16 | 32 32 | 64 …: what the filters of each part leave of noise.
    np.testing.assert_allclose(left[:7], left[0], rtol=0.15)
    np.testing.assert_allclose(left[7:], left[7], rtol=0.15)
    assert left[7] < 0.75 * left[0] < 0.3


def test_off_gives_the_same_objects() -> None:
    clip = clip_of([0.1, 0.9, 0.3])
    for name in ("off", "none"):
        found = list(Smooth(PROFILES[name])(iter(clip)))
        assert all(a is b for a, b in zip(found, clip, strict=True))
    assert Smooth(None).lookahead == 0


def test_a_cut_is_not_smoothed_over() -> None:
    before, after = clip_of([0.0] * 10), clip_of([1.0] * 10, track_id=1)
    clip = [*before, *(FrameFaces(make_frame(10 + i), item.faces) for i, item in enumerate(after))]
    found = list(Smooth(PROFILES["strong"])(iter(clip)))
    np.testing.assert_allclose(constants_of(found), [0.0] * 10 + [1.0] * 10, atol=1e-6)


def test_two_faces_do_not_mix() -> None:
    clip: Clip = [
        FrameFaces(
            make_frame(index),
            tuple(make_encoded(track, value=float(track)) for track in order),
        )
        for index, order in enumerate([(0, 1), (1, 0), (1,), (0, 1), (), (1, 0)] * 3)
    ]
    for item in Smooth(PROFILES["strong"])(iter(clip)):
        for face in item.faces:
            np.testing.assert_allclose(face.latents.styles.numpy(), face.track_id, atol=1e-6)


def test_everything_but_the_codes_is_handed_on() -> None:
    clip = clip_of([0.0, 1.0, 0.0, 1.0])
    for before, after in zip(clip, Smooth(PROFILES["light"])(iter(clip)), strict=True):
        assert after.frame is before.frame
        assert after.faces[0].crop is before.faces[0].crop
        assert before.faces[0].latents is not after.faces[0].latents


def test_a_clip_of_high_rate_does_not_make_it_hold_more_frames() -> None:
    clip = clip_of([0.5] * 60, pts=[0] * 60)  # all within one window
    num_read = 0

    def count() -> object:
        nonlocal num_read
        for item in clip:
            num_read += 1
            yield item

    stage = Smooth(PROFILES["strong"], max_lookahead_frames=4)
    for num_given, _ in enumerate(stage(count()), start=1):  # type: ignore[arg-type]
        assert num_read <= num_given + 4
