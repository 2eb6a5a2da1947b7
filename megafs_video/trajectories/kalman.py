"""A Kalman filter for faces that move evenly, smoothed backwards over a fixed lag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import pi

import numpy as np

from megafs_video.trajectories.filters import Sample
from megafs_video.values import FloatArray

_SAMPLE_RATE_HZ = 30.0  # at which ``half_gain_hz`` holds
# Variance of the speed at the start of a track, where that of a sample is 1 and times are in
# seconds: so much that nothing is assumed, and not so much that float64 loses digits to it.
_ANY_SPEED = 1e9


@dataclass(frozen=True, eq=False)
class Belief:
    """Where a track is and how fast it moves, as far as the samples so far tell."""

    seconds: float
    mean: FloatArray  # [2, D]: value and its speed, a second
    covariance: FloatArray  # [2, 2], the same for all D, in units of a sample's variance
    back: FloatArray  # [2, 2], how a later correction of this belief corrects the one before


@dataclass(frozen=True)
class Kalman:
    """A value whose speed drifts at random, seen through noise (Rauch, Tung and Striebel 1965).

    A sample of confidence c has the variance 1/c. The estimate at a sample takes in what the
    next ``lag_seconds`` showed. With the whole clip in sight it is the cubic smoothing spline,
    which ``scipy.interpolate.make_smoothing_spline`` fits all at once (Wahba 1978): the gain at
    f Hz is 1 / (1 + (f / half_gain_hz)^4), without delay.
    """

    half_gain_hz: float  # the tone that is halved, at 30 samples a second of confidence 1
    lag_seconds: float

    def __post_init__(self) -> None:
        if self.half_gain_hz <= 0 or self.lag_seconds < 0:
            raise ValueError(f"{self} wants a positive frequency and a lag of 0 or more")

    @property
    def lookback_seconds(self) -> float:
        """The state says it all."""
        return 0.0

    @property
    def lookahead_seconds(self) -> float:
        """The lag."""
        return self.lag_seconds

    @property
    def drift(self) -> float:
        """Growth of the speed's variance, a second; 1 / drift is the spline's smoothness."""
        return (2 * pi * self.half_gain_hz) ** 4 / _SAMPLE_RATE_HZ

    def advance(self, before: Belief | None, sample: Sample) -> Belief:
        """One step forwards: predict, then correct by the sample."""
        variance = 1 / sample.confidence
        if before is None:
            mean = np.stack([sample.value, np.zeros_like(sample.value)])
            return Belief(sample.seconds, mean, np.diag([variance, _ANY_SPEED]), np.zeros((2, 2)))
        elapsed = sample.seconds - before.seconds
        step = _step(elapsed)
        grown = np.array([[elapsed**3 / 3, elapsed**2 / 2], [elapsed**2 / 2, elapsed]])
        predicted_mean = step @ before.mean
        predicted = step @ before.covariance @ step.T + self.drift * grown  # [2, 2]
        gain = predicted[:, 0] / (predicted[0, 0] + variance)  # [2]
        mean = predicted_mean + np.outer(gain, sample.value - predicted_mean[0])
        # Joseph's form: stays symmetric and positive where the short one loses digits.
        kept = np.eye(2)
        kept[:, 0] -= gain
        covariance = kept @ predicted @ kept.T + variance * np.outer(gain, gain)
        back = np.linalg.solve(predicted, step @ before.covariance).T
        return Belief(sample.seconds, mean, covariance, back)

    def estimate(self, states: Sequence[Belief], centre: int) -> FloatArray:
        """Backwards from the last state, as far as the mean at the centre.

        That is a sum of all the means, and how much each counts, [2], does not depend on them.
        """
        near, share = states[centre:], np.array([1.0, 0.0])  # of the value, none of the speed
        counts = []
        for state, later in pairwise(near):
            passed_on = share @ later.back
            counts.append(share - passed_on @ _step(later.seconds - state.seconds))
            share = passed_on
        counts.append(share)
        means = np.concatenate([state.mean for state in near])  # [2 K, D]
        return np.asarray(np.concatenate(counts) @ means)


def _step(elapsed_seconds: float) -> FloatArray:
    """What time does to value and speed, [2, 2]."""
    return np.array([[1.0, elapsed_seconds], [0.0, 1.0]])
