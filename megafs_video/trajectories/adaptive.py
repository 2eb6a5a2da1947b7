"""A filter that is calm where only noise moves, and quick where a face does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from megafs_video.trajectories.filters import Sample
from megafs_video.trajectories.fits import Gaussian, SavitzkyGolay, weighted
from megafs_video.values import FloatArray

# By chance a little noise looks like movement: this many times as much as is expected passes for
# none.
_MARGIN = 1.5
# So few samples that ``quick`` goes through each of them, and leaves nothing over.
_NO_FREEDOM = 1e-9


@dataclass(frozen=True)
class Adaptive:
    """Between two filters, by how much moves that noise does not explain (Wiener 1949).

    What ``quick`` leaves over at a sample is noise, and tells its variance. If ``quick`` and
    ``calm`` differ by no more than such noise makes them, ``calm`` is right; the more they
    differ beyond that, the nearer is the answer to ``quick``. No amount is set beforehand: a
    tremor of any size is calmed, and a movement passes that is larger than its tremor. The D
    numbers of a sample tell it together, so D should be large. Where so few samples are near that
    ``quick`` keeps each as it is, nothing tells noise, and nothing is calmed.
    """

    quick: SavitzkyGolay
    calm: Gaussian

    @property
    def lookback_seconds(self) -> float:
        """That of the filter that looks further."""
        return max(self.quick.lookback_seconds, self.calm.lookback_seconds)

    @property
    def lookahead_seconds(self) -> float:
        """That of the filter that looks further."""
        return max(self.quick.lookahead_seconds, self.calm.lookahead_seconds)

    def advance(self, before: Sample | None, sample: Sample) -> Sample:
        """A sample is all there is to know of it."""
        return sample

    def estimate(self, states: Sequence[Sample], centre: int) -> FloatArray:
        """The calm value, and the part of the quick one's difference that is no noise."""
        quick_weights = self.quick.weights(states, centre)  # [K]
        calm_weights = self.calm.weights(states, centre)
        quick, calm = weighted(states, quick_weights), weighted(states, calm_weights)
        own = np.arange(len(states)) == centre
        freedom = _power(own - quick_weights)
        if freedom < _NO_FREEDOM:
            return np.asarray(quick)
        # White noise of variance v gives a weighted sum the variance v · sum(weights²).
        noise = _power(states[centre].value - quick) / freedom
        found = _power(quick - calm)
        explained = _MARGIN * noise * _power(quick_weights - calm_weights)
        share = max(0.0, 1 - explained / found) if found > 0 else 0.0
        return np.asarray(calm + share * (quick - calm))


def _power(values: FloatArray) -> float:
    return float(np.square(values).sum())
