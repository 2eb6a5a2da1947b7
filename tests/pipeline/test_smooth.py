"""Codes over time: against a whole clip, across cuts, at the ends, and switched off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from megafs_video.pipeline.smooth import STRENGTHS, Smooth, Strength
from megafs_video.trajectories.kernels import Gaussian, Kernel, SavitzkyGolay
from megafs_video.values import EncodedFace, FloatArray, FrameFaces
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


def reference(values: FloatArray, seconds: FloatArray, kernel: Kernel, reach: int) -> FloatArray:
    """The whole clip filtered at once."""
    found = []
    for index, centre in enumerate(seconds):
        near = slice(max(0, index - reach), index + reach + 1)
        found.append(kernel.weights(seconds[near] - centre) @ values[near])
    return np.array(found)


@pytest.mark.parametrize("name", ["light", "strong"])
@pytest.mark.parametrize("is_even", [True, False], ids=["constant rate", "variable rate"])
@pytest.mark.parametrize("reach", [2, 8])
def test_streamed_it_equals_the_whole_clip(name: str, is_even: bool, reach: int) -> None:
    chance = np.random.default_rng(0)
    values = chance.normal(size=50).astype(np.float32)
    pts = np.arange(50) if is_even else np.cumsum(chance.integers(1, 5, 50))
    strength = STRENGTHS[name]
    assert strength is not None
    found = list(Smooth(strength, reach)(iter(clip_of(values.tolist(), pts=pts.tolist()))))
    seconds = pts / 30
    expected = reference(values, seconds, strength.constant, reach)
    np.testing.assert_allclose(constants_of(found), expected, atol=1e-6)  # float32
    styles = styles_of(found)
    for index in range(styles.shape[1]):
        expected = reference(values, seconds, strength.of_style(index), reach)
        np.testing.assert_allclose(styles[:, index], expected, atol=1e-6)


def test_off_gives_the_same_objects() -> None:
    clip = clip_of([0.1, 0.9, 0.3])
    found = list(Smooth(STRENGTHS["off"])(iter(clip)))
    assert all(a is b for a, b in zip(found, clip, strict=True))
    assert Smooth(None).lookahead == 0


def test_a_cut_is_not_smoothed_over() -> None:
    before, after = clip_of([0.0] * 10), clip_of([1.0] * 10, track_id=1)
    clip = [*before, *(FrameFaces(make_frame(10 + i), item.faces) for i, item in enumerate(after))]
    found = list(Smooth(STRENGTHS["strong"])(iter(clip)))
    np.testing.assert_allclose(constants_of(found), [0.0] * 10 + [1.0] * 10, atol=1e-6)


def test_two_faces_do_not_mix() -> None:
    clip: Clip = [
        FrameFaces(
            make_frame(index),
            tuple(make_encoded(track, value=float(track)) for track in order),
        )
        for index, order in enumerate([(0, 1), (1, 0), (1,), (0, 1), (), (1, 0)] * 3)
    ]
    for item in Smooth(STRENGTHS["strong"])(iter(clip)):
        for face in item.faces:
            np.testing.assert_allclose(face.latents.styles.numpy(), face.track_id, atol=1e-6)


def test_everything_but_the_codes_is_handed_on() -> None:
    clip = clip_of([0.0, 1.0, 0.0, 1.0])
    for before, after in zip(clip, Smooth(STRENGTHS["light"])(iter(clip)), strict=True):
        assert after.frame is before.frame
        assert after.faces[0].crop is before.faces[0].crop
        assert before.faces[0].latents is not after.faces[0].latents


def test_speech_is_kept_where_colour_noise_is_removed() -> None:
    strength = STRENGTHS["strong"]
    assert strength is not None
    seconds = np.arange(90) / 30
    speech = np.sin(2 * np.pi * 4 * seconds)
    inner = slice(10, -10)
    kept = reference(speech, seconds, strength.middle, 8)[inner].std() / speech[inner].std()
    assert kept > 0.8
    noise = np.random.default_rng(0).normal(size=900)
    left = reference(noise, np.arange(900) / 30, strength.fine, 8).std() / noise.std()
    assert left < 0.4


def test_a_clip_of_high_rate_does_not_make_it_hold_more_frames() -> None:
    clip = clip_of([0.5] * 60, pts=[0] * 60)  # all within one window
    num_read = 0

    def count() -> object:
        nonlocal num_read
        for item in clip:
            num_read += 1
            yield item

    stage = Smooth(STRENGTHS["strong"], max_lookahead_frames=4)
    for num_given, _ in enumerate(stage(count()), start=1):  # type: ignore[arg-type]
        assert num_read <= num_given + 4


def test_each_layer_has_the_filter_of_its_resolution() -> None:
    kernels = [Gaussian(0.1 * n, 1.0) for n in (1, 2, 3)]
    strength = Strength(SavitzkyGolay(1.0), *kernels)
    names = {kernels[0]: "coarse", kernels[1]: "middle", kernels[2]: "fine"}
    found = [names[strength.of_style(index)] for index in range(16)]  # type: ignore[index]
    # 4 | 8 8 | 16 16 | 32 32 | 64 64 | 128 …
    assert found == ["coarse"] * 3 + ["middle"] * 6 + ["fine"] * 7


def test_no_lookahead_is_refused() -> None:
    with pytest.raises(ValueError, match=r"max_lookahead_frames is 0, wanted at least 1"):
        Smooth(None, 0)
