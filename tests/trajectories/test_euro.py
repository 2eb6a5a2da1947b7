"""One-Euro is the paper's algorithm, calms a face at rest and keeps up with one that moves."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from scipy.signal import lfilter

from megafs_video.trajectories.euro import OneEuro, root_mean_square
from megafs_video.trajectories.filters import Sample
from megafs_video.values import FloatArray
from tests.trajectories.streams import streamed

SECONDS = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.05, 60))


def paper(values: FloatArray, seconds: FloatArray, low: float, beta: float) -> list[float]:
    """Algorithm 1 of Casiez, Roussel and Vogel (2012), line by line, for one number."""

    def alpha(rate: float, cutoff: float) -> float:
        return 1 / (1 + (1 / (2 * pi * cutoff)) * rate)

    hat_x, hat_dx, found = float(values[0]), 0.0, [float(values[0])]
    for x, rate in zip(values[1:], 1 / np.diff(seconds), strict=True):
        dx = (x - hat_x) * rate
        hat_dx = alpha(rate, 1.0) * dx + (1 - alpha(rate, 1.0)) * hat_dx
        share = alpha(rate, low + beta * abs(hat_dx))
        hat_x = share * x + (1 - share) * hat_x
        found.append(hat_x)
    return found


def test_for_one_number_it_is_the_algorithm_of_the_paper() -> None:
    values = np.random.default_rng(0).normal(size=60)
    found = streamed(OneEuro(1.2, 0.7), SECONDS, values)
    np.testing.assert_allclose(found, paper(values, SECONDS, 1.2, 0.7), rtol=1e-12)


def test_with_one_cutoff_it_is_scipys_filter_of_the_first_order_on_the_whole_clip() -> None:
    values = np.random.default_rng(0).normal(size=60)
    turn = 2 * pi * 1.5 / 30
    share = turn / (1 + turn)
    whole, _ = lfilter([share], [1, share - 1], values, zi=[(1 - share) * values[0]])
    found = streamed(OneEuro(1.5, 0.0), np.arange(60) / 30, values)
    np.testing.assert_allclose(found, whole, atol=1e-12)


def test_a_value_leaves_as_soon_as_it_came() -> None:
    filter = OneEuro(1.0, 1.0)
    assert filter.lookahead_seconds == filter.lookback_seconds == 0
    values = np.random.default_rng(0).normal(size=60)
    half = streamed(filter, SECONDS[:30], values[:30])
    np.testing.assert_array_equal(streamed(filter, SECONDS, values)[:30], half)


def test_numbers_of_one_value_share_a_cutoff() -> None:
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    values = np.random.default_rng(0).normal(size=(60, 2))
    found = streamed(OneEuro(1.0, 2.0), SECONDS, values @ turn.T)
    np.testing.assert_allclose(found, streamed(OneEuro(1.0, 2.0), SECONDS, values) @ turn.T)


def test_speed_is_counted_in_units_of_the_sample() -> None:
    filter = OneEuro(1.0, 2.0)
    first, second = np.zeros(2), np.array([3.0, 1.0])
    small = filter.advance(filter.advance(None, Sample(0.0, first)), Sample(0.1, second))
    large = filter.advance(
        filter.advance(None, Sample(0.0, first)), Sample(0.1, 50 * second, unit=50.0)
    )
    np.testing.assert_allclose(large.value, 50 * small.value)


def test_a_tremor_is_calmed_and_a_jump_is_followed() -> None:
    filter, seconds = OneEuro(min_cutoff_hz=1.0, cutoff_per_speed=4.0), np.arange(90) / 30
    tremor = 0.005 * np.random.default_rng(0).normal(size=90)
    assert streamed(filter, seconds, tremor)[30:].std() < 0.5 * tremor[30:].std()
    jump = (seconds >= 1.5) * 1.0
    assert streamed(filter, seconds, jump)[48] > 0.8  # a tenth of a second later


def test_two_samples_at_one_time_do_not_divide_by_zero() -> None:
    found = streamed(OneEuro(1.0, 1.0), np.zeros(3), np.array([0.0, 1.0, 1.0]))
    np.testing.assert_allclose(found, 0.0, atol=1e-3)


def test_nothing_has_no_size() -> None:
    assert root_mean_square(np.zeros((0, 4))) == 0.0
    assert root_mean_square(np.array([3.0, -3.0])) == 3.0


def test_nonsense_is_refused() -> None:
    for wrong in [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, 0.0)]:
        with pytest.raises(ValueError, match="wants positive cutoffs and a slope of 0 or more"):
            OneEuro(*wrong)
