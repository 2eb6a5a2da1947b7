"""Filters over time against whole-clip references."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.signal import savgol_coeffs

from megafs_video.trajectories.kernels import Gaussian, Kernel, SavitzkyGolay, window
from megafs_video.values import FloatArray


def whole_clip(values: FloatArray, seconds: FloatArray, kernel: Kernel) -> FloatArray:
    """Every sample filtered with all others in sight."""
    return np.stack([kernel.weights(seconds - centre) @ values for centre in seconds])


@pytest.mark.parametrize(("num_samples", "order"), [(5, 1), (7, 2), (9, 3)])
def test_on_even_samples_it_is_the_filter_of_savitzky_and_golay(
    num_samples: int, order: int
) -> None:
    offsets = (np.arange(num_samples) - num_samples // 2) / 30
    kernel = SavitzkyGolay(radius_seconds=num_samples / 2 / 30, order=order)
    np.testing.assert_allclose(
        kernel.weights(offsets), savgol_coeffs(num_samples, order)[::-1], atol=1e-12
    )


def test_a_polynomial_of_its_order_passes_uneven_times_untouched() -> None:
    seconds = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.05, 40))
    parabola = 3 * seconds**2 - seconds + 2
    kernel = SavitzkyGolay(radius_seconds=0.11, order=2)
    np.testing.assert_allclose(whole_clip(parabola, seconds, kernel), parabola, rtol=1e-9)


def test_away_from_the_ends_the_bell_is_scipys() -> None:
    values = np.random.default_rng(0).normal(size=40)
    kernel = Gaussian(sigma_seconds=2 / 30, radius_seconds=6.5 / 30)
    expected = gaussian_filter1d(values, sigma=2.0, radius=6)
    found = whole_clip(values, np.arange(40) / 30, kernel)
    np.testing.assert_allclose(found[6:-6], expected[6:-6], atol=1e-12)


@pytest.mark.parametrize("kernel", [Gaussian(0.03, 0.1), SavitzkyGolay(0.1), SavitzkyGolay(0.1, 0)])
@pytest.mark.parametrize("num_samples", [1, 2, 3, 20])
def test_a_face_at_rest_stays_at_rest_even_at_the_ends(kernel: Kernel, num_samples: int) -> None:
    seconds = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.05, num_samples))
    found = whole_clip(np.full(num_samples, 0.7), seconds, kernel)
    np.testing.assert_allclose(found, 0.7, rtol=1e-9)


@pytest.mark.parametrize("kernel", [Gaussian(0.03, 0.1), SavitzkyGolay(0.1)])
def test_samples_beyond_the_radius_count_for_nothing(kernel: Kernel) -> None:
    weights = kernel.weights(np.array([-0.2, -0.05, 0.0, 0.05, 0.101]))
    assert weights[0] == weights[-1] == 0
    assert (weights[1:4] != 0).sum() >= 1


def test_a_window_without_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no sample within 0.1 s"):
        window(np.array([0.5]), 0.1)
    with pytest.raises(ValueError, match=r"no sample within 0.1 s"):
        window(np.array([]), 0.1)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="wants a positive sigma"):
        Gaussian(0.0, 0.1)
    with pytest.raises(ValueError, match="wants a positive radius"):
        SavitzkyGolay(0.0)
    with pytest.raises(ValueError, match="order of 0 or more"):
        SavitzkyGolay(0.1, -1)
