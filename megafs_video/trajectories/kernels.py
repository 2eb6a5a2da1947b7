"""Weights of a centred window over time, for samples at any distance from each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from megafs_video.values import FloatArray


class Kernel(Protocol):
    """How much each sample of a window counts for the value at its centre."""

    @property
    def radius_seconds(self) -> float:
        """Samples further from the centre than this count for nothing."""
        ...

    def weights(self, offsets_seconds: FloatArray) -> FloatArray:
        """Weights [K] that add up to 1, for samples at ``offsets_seconds`` [K] from the centre."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """A bell, renormalised over the samples there are (so also at the ends of a track).

    >>> Gaussian(sigma_seconds=1.0, radius_seconds=2.0).weights(np.array([0.0, 9.0])).tolist()
    [1.0, 0.0]
    """

    sigma_seconds: float
    radius_seconds: float

    def __post_init__(self) -> None:
        if self.sigma_seconds <= 0 or self.radius_seconds <= 0:
            raise ValueError(f"{self} wants a positive sigma and radius")

    def weights(self, offsets_seconds: FloatArray) -> FloatArray:
        inside = window(offsets_seconds, self.radius_seconds)
        bell = inside * np.exp(-0.5 * np.square(offsets_seconds / self.sigma_seconds))
        normalised: FloatArray = bell / bell.sum()
        return normalised


@dataclass(frozen=True)
class SavitzkyGolay:
    """The value at the centre of the polynomial of ``order`` that fits the window best.

    On evenly spaced samples these are the coefficients of Savitzky and Golay; the fit holds for
    uneven ones too. It keeps quick movements that a bell of the same width would flatten. At the
    end of a track it fits the samples on one side: less smooth there, and without lag.

    >>> SavitzkyGolay(radius_seconds=2.0).weights(np.arange(-2.0, 3.0)).round(3).tolist()
    [-0.086, 0.343, 0.486, 0.343, -0.086]
    """

    radius_seconds: float
    order: int = 2

    def __post_init__(self) -> None:
        if self.radius_seconds <= 0 or self.order < 0:
            raise ValueError(f"{self} wants a positive radius and an order of 0 or more")

    def weights(self, offsets_seconds: FloatArray) -> FloatArray:
        inside = window(offsets_seconds, self.radius_seconds)
        offsets = offsets_seconds[inside] / self.radius_seconds  # about [-1, 1]: well conditioned
        order = min(self.order, len(offsets) - 1)
        powers = np.vander(offsets, order + 1, increasing=True)  # [K, order + 1]
        weights = np.zeros(len(offsets_seconds))
        weights[inside] = np.linalg.pinv(powers)[0]  # the fit's constant term: its value at 0
        return weights


def window(offsets_seconds: FloatArray, radius_seconds: float) -> npt.NDArray[np.bool_]:
    """Which samples lie within the radius, bool [K]; ValueError if none does."""
    inside = np.asarray(np.abs(offsets_seconds) <= radius_seconds)
    if not inside.any():
        raise ValueError(f"no sample within {radius_seconds} s of the centre of the window")
    return inside
