"""A track streams: every sample once, in order, with bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from megafs_video.trajectories.adaptive import Adaptive
from megafs_video.trajectories.euro import OneEuro
from megafs_video.trajectories.filters import Filter, Sample, Trajectory
from megafs_video.trajectories.fits import Gaussian, SavitzkyGolay
from megafs_video.trajectories.kalman import Kalman
from megafs_video.values import FloatArray
from tests.trajectories.streams import streamed

FILTERS: list[Filter[Any]] = [
    Gaussian(0.05, 0.12),
    SavitzkyGolay(0.11),
    OneEuro(1.0, 4.0),
    Kalman(2.8, 0.25),
    Adaptive(SavitzkyGolay(0.121, 4), Gaussian(0.13, 0.27)),
]
SECONDS = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.05, 60))
VALUES = np.random.default_rng(2).normal(size=(60, 3))


@pytest.mark.parametrize("filter", FILTERS, ids=lambda filter: type(filter).__name__)
class TestEveryFilter:
    def test_streamed_it_equals_the_whole_clip(self, filter: Filter[Any]) -> None:
        whole = Trajectory(filter, 1000)
        for now, value in zip(SECONDS, VALUES, strict=True):
            whole.push(Sample(float(now), value))
        found = streamed(filter, SECONDS, VALUES)
        np.testing.assert_array_equal(found, [whole.pop() for _ in SECONDS])

    def test_it_does_not_know_when_the_clip_began(self, filter: Filter[Any]) -> None:
        found = streamed(filter, SECONDS + 4096, VALUES)
        np.testing.assert_allclose(found, streamed(filter, SECONDS, VALUES), atol=1e-6)

    def test_a_single_sample_stays_as_it_is(self, filter: Filter[Any]) -> None:
        np.testing.assert_array_equal(streamed(filter, SECONDS[:1], VALUES[:1]), VALUES[:1])

    def test_a_face_at_rest_stays_at_rest(self, filter: Filter[Any]) -> None:
        found = streamed(filter, SECONDS, np.full(60, 0.7))
        np.testing.assert_allclose(found, 0.7, rtol=1e-9)

    def test_white_noise_is_calmed(self, filter: Filter[Any]) -> None:
        tremor = 0.01 * VALUES
        assert streamed(filter, SECONDS, tremor).std() < 0.7 * tremor.std()

    def test_numbers_of_a_value_may_be_none(self, filter: Filter[Any]) -> None:
        assert streamed(filter, SECONDS, np.empty((60, 0))).shape == (60, 0)


def test_samples_beyond_the_bound_do_not_count() -> None:
    found = streamed(SavitzkyGolay(10.0, order=0), np.arange(9.0), np.arange(9.0), max_samples=2)
    np.testing.assert_allclose(found, [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 6.5, 7.0])


def test_no_more_is_remembered_than_the_bound_says() -> None:
    trajectory = Trajectory(Gaussian(1.0, 100.0), max_samples=3)
    for index in range(200):
        trajectory.push(Sample(index / 30, np.zeros(1)))
        if index >= 3:
            trajectory.pop()
        assert len(trajectory._states) <= 2 * 3 + 1


def test_a_track_of_an_hour_costs_no_more_than_one_of_a_second() -> None:
    class Counting:
        """Keeps every value, and notes how much it has to look at for each."""

        lookback_seconds = lookahead_seconds = 0.2

        def __init__(self) -> None:
            self.looked_at: list[int] = []

        def advance(self, before: Sample | None, sample: Sample) -> Sample:
            return sample

        def estimate(self, states: Sequence[Sample], centre: int) -> FloatArray:
            self.looked_at.append(len(states))
            return states[centre].value

    filter = Counting()
    trajectory, value = Trajectory(filter, max_samples=8), np.zeros(1)
    for index in range(30 * 3600):
        trajectory.push(Sample(index / 30, value))
        if index >= 8:
            trajectory.pop()
    assert max(filter.looked_at[30:]) == max(filter.looked_at[:30]) == 13
    assert len(trajectory._states) <= 2 * 8 + 1


def test_a_sample_of_the_past_is_refused() -> None:
    trajectory = Trajectory(Gaussian(0.1, 0.2), max_samples=3)
    trajectory.push(Sample(1.0, np.zeros(1)))
    with pytest.raises(ValueError, match=r"a sample at 0.5 s follows one at 1.0 s"):
        trajectory.push(Sample(0.5, np.zeros(1)))


def test_nothing_pushed_is_nothing_to_pop() -> None:
    with pytest.raises(IndexError):
        Trajectory(Gaussian(0.1, 0.2), max_samples=3).pop()


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"max_samples is 0, wanted at least 1"):
        Trajectory(Gaussian(0.1, 0.2), max_samples=0)
    for confidence in (0.0, -1.0, 1.5):
        with pytest.raises(ValueError, match=r"Sample.confidence is"):
            Sample(0.0, np.zeros(1), confidence)
    with pytest.raises(ValueError, match=r"Sample.value has shape \[2, 2\]"):
        Sample(0.0, np.zeros((2, 2)))
