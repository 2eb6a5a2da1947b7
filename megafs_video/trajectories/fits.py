"""Filters that fit a short polynomial to the samples about a moment and take its value there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from megafs_video.trajectories.filters import Sample
from megafs_video.values import FloatArray

# Floating-point times of a long clip are no more exact than this.
_SECONDS_DECIMALS = 11


@dataclass(frozen=True)
class Gaussian:
    """A straight line fitted under a bell (local linear regression; Fan and Gijbels 1996).

    Between evenly spaced neighbours this is the weighted mean under the bell, the Gaussian
    filter. The line matters at the ends of a track, beside a gap and at uneven times: there a
    mean would lag behind a face that moves.
    """

    sigma_seconds: float
    radius_seconds: float  # samples further away count for nothing

    def __post_init__(self) -> None:
        if self.sigma_seconds <= 0 or self.radius_seconds <= 0:
            raise ValueError(f"{self} wants a positive sigma and radius")

    @property
    def lookback_seconds(self) -> float:
        """The radius."""
        return self.radius_seconds

    @property
    def lookahead_seconds(self) -> float:
        """The radius."""
        return self.radius_seconds

    def advance(self, before: Sample | None, sample: Sample) -> Sample:
        """A sample is all there is to know of it."""
        return sample

    def weights(self, states: Sequence[Sample], centre: int) -> FloatArray:
        """How much each sample [K] counts in the line's value at the centre."""
        offsets = _offsets(states, centre)
        bell = np.exp(-0.5 * np.square(offsets / self.sigma_seconds))
        bell[np.abs(offsets) > self.radius_seconds] = 0.0  # if others look further
        return fit_weights(offsets, bell, order=1)

    def estimate(self, states: Sequence[Sample], centre: int) -> FloatArray:
        """The line's value at the centre."""
        return weighted(states, self.weights(states, centre))


@dataclass(frozen=True)
class SavitzkyGolay:
    """The polynomial that fits a window best (Savitzky and Golay 1964), also at uneven times.

    It keeps quick movements that a bell of the same width would flatten. At the ends of a track
    the window stays as wide and is not centred: less lively there than half a window, and no
    lag. That is ``scipy.signal.savgol_filter`` with ``mode="interp"``.
    """

    radius_seconds: float  # half the width of the window
    order: int = 2

    def __post_init__(self) -> None:
        if self.radius_seconds <= 0 or self.order < 0:
            raise ValueError(f"{self} wants a positive radius and an order of 0 or more")

    @property
    def lookback_seconds(self) -> float:
        """The whole width, of which only the last sample of a track makes use."""
        return 2 * self.radius_seconds

    @property
    def lookahead_seconds(self) -> float:
        """The whole width, of which only the first sample of a track makes use."""
        return 2 * self.radius_seconds

    def advance(self, before: Sample | None, sample: Sample) -> Sample:
        """A sample is all there is to know of it."""
        return sample

    def weights(self, states: Sequence[Sample], centre: int) -> FloatArray:
        """How much each sample [K] counts in the polynomial's value at the centre."""
        offsets = _offsets(states, centre)
        width = 2 * self.radius_seconds
        low, high = -self.radius_seconds, self.radius_seconds
        if offsets[0] > low:
            low, high = offsets[0], offsets[0] + width
        elif offsets[-1] < high:
            low, high = offsets[-1] - width, offsets[-1]
        inside = (low <= offsets) & (offsets <= high)
        return fit_weights(offsets, inside.astype(np.float64), self.order)

    def estimate(self, states: Sequence[Sample], centre: int) -> FloatArray:
        """The polynomial's value at the centre."""
        return weighted(states, self.weights(states, centre))


def fit_weights(offsets_seconds: FloatArray, shares: FloatArray, order: int) -> FloatArray:
    """Weights [K] of samples in the value at 0 of the polynomial that fits them best.

    ``shares`` [K], 0 or more, say how much the squared error at each of ``offsets_seconds`` [K]
    counts. Where fewer samples than ``order + 1`` count, the order is lower.

    >>> fit_weights(np.arange(-2.0, 3.0), np.ones(5), order=2).round(3).tolist()
    [-0.086, 0.343, 0.486, 0.343, -0.086]
    """
    return np.array(_fit_weights(tuple(offsets_seconds.tolist()), tuple(shares.tolist()), order))


# Frames at an even rate ask for the same few weights over and over.
@lru_cache(maxsize=256)
def _fit_weights(
    offsets_seconds: tuple[float, ...], shares: tuple[float, ...], order: int
) -> tuple[float, ...]:
    order = min(order, int(np.count_nonzero(shares)) - 1)
    reach = max(map(abs, offsets_seconds)) or 1.0
    powers = np.vander(np.divide(offsets_seconds, reach), order + 1, increasing=True)
    root = np.sqrt(shares)  # [K]
    # The fit's constant term is its value at 0.
    weights = np.linalg.pinv(powers * root[:, None])[0] * root  # [K]
    return tuple(weights.tolist())


def _offsets(states: Sequence[Sample], centre: int) -> FloatArray:
    """Seconds [K] from the centre; even steps are the same numbers wherever in a clip they are."""
    offsets = np.array([state.seconds for state in states]) - states[centre].seconds
    return np.asarray(np.round(offsets, _SECONDS_DECIMALS))


def weighted(states: Sequence[Sample], weights: FloatArray) -> FloatArray:
    """The sum [D] of samples that are weighed by [K]; most of a window may count for nothing."""
    used = np.flatnonzero(weights)
    rows = np.concatenate([states[index].value for index in used.tolist()]).reshape(len(used), -1)
    return np.asarray(weights[used] @ rows)
