"""The adaptive filter calms a tremor of any size, and lets pass what is larger than its tremor."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import correlate1d
from scipy.signal import savgol_coeffs

from megafs_video.trajectories.adaptive import Adaptive
from megafs_video.trajectories.fits import Gaussian, SavitzkyGolay
from megafs_video.values import FloatArray
from tests.trajectories.streams import streamed

QUICK, CALM = SavitzkyGolay(3.5 / 30, order=4), Gaussian(3 / 30, 6.5 / 30)
FILTER = Adaptive(QUICK, CALM)
SECONDS = np.arange(120) / 30
NOISE = np.random.default_rng(0).normal(size=(120, 400))
DIRECTION = np.random.default_rng(1).normal(size=400)


def tone(hertz: float) -> FloatArray:
    """A tone in one direction of all numbers, [120, 400], of deviation 1."""
    return np.sqrt(2) * np.sin(2 * np.pi * hertz * SECONDS)[:, None] * DIRECTION


def gain(found: FloatArray, truth: FloatArray) -> float:
    return float((found * truth)[10:-10].sum() / np.square(truth)[10:-10].sum())


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_a_tremor_of_any_size_is_calmed_as_by_the_calm_filter(size: float) -> None:
    found = streamed(FILTER, SECONDS, size * NOISE)
    calm = streamed(CALM, SECONDS, size * NOISE)
    assert found[10:-10].std() < 1.05 * calm[10:-10].std() < 0.4 * size


@pytest.mark.parametrize("hertz", [2.0, 5.0])
def test_a_movement_larger_than_its_tremor_passes(hertz: float) -> None:
    found = streamed(FILTER, SECONDS, tone(hertz) + 0.25 * NOISE)
    assert gain(found, tone(hertz)) > 0.9
    calm = streamed(CALM, SECONDS, tone(5.0) + 0.25 * NOISE)
    assert gain(calm, tone(5.0)) < 0.1


def test_what_moves_only_for_a_while_passes_only_then() -> None:
    moves = (SECONDS > 1.5) & (SECONDS < 2.5)
    truth = moves[:, None] * tone(4.0)
    error = streamed(FILTER, SECONDS, truth + 0.25 * NOISE) - truth
    assert error[50:70].std() < 0.25  # the raw one's is 0.25
    assert error[10:35].std() < 0.1 and error[85:110].std() < 0.1


def whole_clip(values: FloatArray) -> FloatArray:
    """Everything at once, from scipy's weights of both filters; right 6 samples from the ends."""
    quick_weights = savgol_coeffs(7, 4)
    bell = np.exp(-0.5 * np.square(np.arange(-6, 7) / 3.0))
    calm_weights = bell / bell.sum()
    quick, calm = (
        correlate1d(values, weights, axis=0) for weights in (quick_weights, calm_weights)
    )
    own = np.arange(7) == 3
    noise = np.square(values - quick).sum(axis=1) / np.square(own - quick_weights).sum()
    between = np.square(np.pad(quick_weights, 3) - calm_weights).sum()
    share = 1 - 1.5 * noise * between / np.square(quick - calm).sum(axis=1)
    return calm + np.maximum(share, 0.0)[:, None] * (quick - calm)


def test_it_is_its_whole_clip_form_with_scipys_weights() -> None:
    values = tone(3.0) + NOISE
    found = streamed(FILTER, SECONDS, values)
    np.testing.assert_allclose(found[6:-6], whole_clip(values)[6:-6], atol=1e-9)


def test_a_line_passes_up_to_both_ends_at_uneven_times() -> None:
    seconds = np.cumsum(np.random.default_rng(2).uniform(0.01, 0.05, 60))
    line = seconds[:, None] * DIRECTION
    np.testing.assert_allclose(streamed(FILTER, seconds, line), line, atol=1e-9)


def test_where_nothing_tells_noise_nothing_is_calmed() -> None:
    rare = np.arange(20) / 15  # three samples within the quick filter's reach
    found = streamed(FILTER, rare, NOISE[:20])
    np.testing.assert_allclose(found[1:-1], NOISE[1:19], atol=1e-9)


def test_it_looks_as_far_as_the_further_of_both() -> None:
    assert FILTER.lookahead_seconds == FILTER.lookback_seconds == 7 / 30
    far = Adaptive(QUICK, Gaussian(1.0, 2.0))
    assert far.lookahead_seconds == far.lookback_seconds == 2.0
