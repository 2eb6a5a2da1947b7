"""Fitted filters are scipy's on even samples, up to both ends, and hold for uneven ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.signal import savgol_filter

from megafs_video.trajectories.fits import Gaussian, SavitzkyGolay, fit_weights
from megafs_video.values import FloatArray
from tests.trajectories.streams import streamed

NOISE = np.random.default_rng(0).normal(size=(40, 3))  # [T, D]
EVEN = np.arange(40) / 30
UNEVEN = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.05, 40))


@pytest.mark.parametrize(("num_samples", "order"), [(5, 1), (7, 2), (9, 3)])
def test_it_is_scipys_filter_of_savitzky_and_golay_up_to_both_ends(
    num_samples: int, order: int
) -> None:
    found = streamed(SavitzkyGolay((num_samples - 0.5) / 2 / 30, order), EVEN, NOISE)
    wanted = savgol_filter(NOISE, num_samples, order, axis=0, mode="interp")
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def whole_clip_line(values: FloatArray, sigma: float, radius: int) -> FloatArray:
    """A line under a bell at every sample of [T], from moments that scipy sums."""

    def total(numbers: FloatArray) -> FloatArray:
        return gaussian_filter1d(numbers, sigma, radius=radius, mode="constant")

    times = np.arange(len(values), dtype=np.float64)
    mass = total(np.ones(len(values)))
    first = total(times) - times * mass
    second = total(times**2) - 2 * times * total(times) + times**2 * mass
    value = total(values)
    turn = total(values * times) - times * value
    return (second * value - first * turn) / (mass * second - first**2)


def test_the_bell_is_scipys_and_at_the_ends_the_line_under_it() -> None:
    found = streamed(Gaussian(2 / 30, 6.5 / 30), EVEN, NOISE[:, 0])
    np.testing.assert_allclose(found, whole_clip_line(NOISE[:, 0], 2.0, 6), atol=1e-9)
    wanted = gaussian_filter1d(NOISE[:, 0], sigma=2.0, radius=6)
    np.testing.assert_allclose(found[6:-6], wanted[6:-6], atol=1e-12)


@pytest.mark.parametrize(
    ("filter", "order"), [(Gaussian(0.05, 0.12), 1), (SavitzkyGolay(0.11), 2)], ids=str
)
def test_a_polynomial_of_its_order_passes_uneven_times_untouched(
    filter: Gaussian | SavitzkyGolay, order: int
) -> None:
    curve = np.polyval([3.0, -1.0, 2.0][-order - 1 :], UNEVEN)
    np.testing.assert_allclose(streamed(filter, UNEVEN, curve), curve, rtol=1e-9)


def test_a_window_at_an_end_is_as_wide_as_any() -> None:
    filter = SavitzkyGolay(0.1, order=0)  # the mean of the window
    seconds = np.array([0.0, 0.02, 0.05, 0.19, 0.21, 0.4, 0.45])
    found = streamed(filter, seconds, np.arange(7.0))
    # A gap of nearly a whole window is an end to the sample before it.
    windows = [(0, 4), (0, 4), (0, 4), (1, 5), (3, 5), (5, 7), (5, 7)]
    np.testing.assert_allclose(found, [np.arange(*window).mean() for window in windows])


@pytest.mark.parametrize("filter", [Gaussian(0.03, 0.1), SavitzkyGolay(0.1), SavitzkyGolay(0.1, 0)])
@pytest.mark.parametrize("num_samples", [1, 2, 3, 20])
def test_a_face_at_rest_stays_at_rest_even_at_the_ends(
    filter: Gaussian | SavitzkyGolay, num_samples: int
) -> None:
    found = streamed(filter, UNEVEN[:num_samples], np.full(num_samples, 0.7))
    np.testing.assert_allclose(found, 0.7, rtol=1e-9)


def test_samples_at_one_time_are_averaged() -> None:
    found = streamed(SavitzkyGolay(0.1), np.zeros(4), np.arange(4.0))
    np.testing.assert_allclose(found[-1], 1.5)


def test_fewer_samples_than_the_order_needs_lower_it() -> None:
    weights = fit_weights(np.array([-1.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0]), order=2)
    np.testing.assert_allclose(weights, [0.0, 1.0, 0.0], atol=1e-12)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="wants a positive sigma"):
        Gaussian(0.0, 0.1)
    with pytest.raises(ValueError, match="wants a positive radius"):
        SavitzkyGolay(0.0)
    with pytest.raises(ValueError, match="order of 0 or more"):
        SavitzkyGolay(0.1, -1)
