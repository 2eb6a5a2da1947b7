"""The One-Euro filter: calm at rest, quick in motion, and never a frame late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

import numpy as np

from megafs_video.trajectories.filters import Sample
from megafs_video.values import FloatArray


@dataclass(frozen=True, eq=False)
class EuroState:
    """What the filter knows after a sample."""

    seconds: float
    value: FloatArray  # [D], smooth
    velocity: FloatArray  # [D], smooth, a second


@dataclass(frozen=True)
class OneEuro:
    """A low-pass filter whose cutoff rises with the speed (Casiez, Roussel and Vogel 2012).

    All D numbers share one cutoff, by the root mean square of their speeds in units of the
    sample, so that a code or a place moves as a whole. Causal: what it gains in calm it pays
    with a lag, which shrinks as the face moves faster.
    """

    min_cutoff_hz: float  # at rest; lower is calmer
    cutoff_per_speed: float  # the paper's beta: Hz for each unit a second; higher lags less
    speed_cutoff_hz: float = 1.0  # of the speed itself, as in the paper

    def __post_init__(self) -> None:
        if self.min_cutoff_hz <= 0 or self.speed_cutoff_hz <= 0 or self.cutoff_per_speed < 0:
            raise ValueError(f"{self} wants positive cutoffs and a slope of 0 or more")

    @property
    def lookback_seconds(self) -> float:
        """The state says it all."""
        return 0.0

    @property
    def lookahead_seconds(self) -> float:
        """It is causal."""
        return 0.0

    def advance(self, before: EuroState | None, sample: Sample) -> EuroState:
        """One step of the paper's algorithm 1."""
        if before is None:
            return EuroState(sample.seconds, sample.value, np.zeros_like(sample.value))
        # Two samples at one time differ by a jump: infinitely fast, and with no weight at all.
        elapsed_seconds = max(sample.seconds - before.seconds, 1e-6)
        raw_velocity = (sample.value - before.value) / elapsed_seconds
        share = _share(self.speed_cutoff_hz, elapsed_seconds)
        velocity = share * raw_velocity + (1 - share) * before.velocity
        cutoff_hz = self.min_cutoff_hz + self.cutoff_per_speed * root_mean_square(
            velocity / sample.unit
        )
        share = _share(cutoff_hz, elapsed_seconds)
        value = share * sample.value + (1 - share) * before.value
        return EuroState(sample.seconds, value, velocity)

    def estimate(self, states: Sequence[EuroState], centre: int) -> FloatArray:
        """The value that the step left behind."""
        return states[centre].value


def _share(cutoff_hz: float, elapsed_seconds: float) -> float:
    """Weight of a new sample in a low-pass filter of the first order, 0 to 1."""
    turn = 2 * pi * cutoff_hz * elapsed_seconds
    return turn / (1 + turn)


def root_mean_square(values: FloatArray) -> float:
    """The size of a typical one of the values; 0 of none."""
    return float(np.sqrt(np.square(values).sum() / max(values.size, 1)))
