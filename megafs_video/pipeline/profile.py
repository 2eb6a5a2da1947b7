"""How strongly each thing that could flicker is smoothed: the table behind ``--smooth``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from megafs_video.trajectories.euro import OneEuro
from megafs_video.trajectories.filters import Filter
from megafs_video.trajectories.fits import Gaussian, SavitzkyGolay
from megafs_video.trajectories.kalman import Kalman


@dataclass(frozen=True)
class Profile:
    """One filter for each: what carries speech and blinks must hardly be touched."""

    place: Filter[Any]  # of the crop: centre, log of the side, rotation
    outline: Filter[Any]  # of the face, which is the mask: jaws move as speech does
    constant: Filter[Any]  # C: the layout of the 4 px map
    coarse: Filter[Any]  # codes of the 4 and 8 px layers: pose, shape of the head
    middle: Filter[Any]  # codes of the 16, 32 and 64 px layers: identity, mouth, eyelids
    fine: Filter[Any]  # codes from 128 px on: colour, light, texture
    colour: Filter[Any]  # the map that gives the swapped face the target's colours


# Gain for a tone at 2, 5 and 8 Hz (speech is 2 to 7 Hz) and what is left of white noise, at 30
# frames a second: .99, .67, .06 and 58 %; .92, .58, .25 and 53 %; .50, .01, .00 and 32 %.
# The radius is just above 3 (or 6) frames of 29.97 frames a second.
_SPEECH = SavitzkyGolay(radius_seconds=0.11, order=2)
_POSE = Gaussian(sigma_seconds=1 / 30, radius_seconds=0.11)
_COLOUR = Gaussian(sigma_seconds=1 / 10, radius_seconds=0.21)
# For 60 frames of a man who nods as he speaks: a crop smoothed by _STEADY leaves his head by up to
# 10 pixels of 255, by _POSE up to 5. Landmarks of the swapped face then accelerate by 2.1 and 2.6
# (the input's by 5.5, unsmoothed ones by 4.8), and its E_warp is 2.5e-3 and 1.9e-3 (1.3e-3).
_STEADY = Gaussian(sigma_seconds=1 / 15, radius_seconds=0.17)

# Three patches of skin in 75 frames of a man who speaks, mean second difference of their levels:
# 1.40 with the colour map of each frame alone, 1.18 with _SPEECH, 1.07 with _POSE, 1.02 with
# _STEADY. A map that is smoothed longer lags behind light that really changes.
_MEASURED = {
    "light": Profile(_POSE, _SPEECH, _SPEECH, _SPEECH, _SPEECH, _POSE, _POSE),
    "strong": Profile(_STEADY, _SPEECH, _SPEECH, _POSE, _SPEECH, _COLOUR, _STEADY),
}

_HALF_GAINS_HZ = {
    #         place, outline, constant, coarse, middle, fine, colour
    "light": (5.6, 5.7, 5.7, 5.7, 5.7, 5.6, 5.6),
    "strong": (2.8, 5.7, 5.7, 5.6, 5.7, 1.9, 2.8),
}
"""The tones that ``_MEASURED`` halves; a filter by name is made to halve the same."""


def _gaussian(half_gain_hz: float) -> Gaussian:
    sigma_seconds = 0.187 / half_gain_hz  # sqrt(log(2) / 2) / pi
    return Gaussian(sigma_seconds, radius_seconds=2.5 * sigma_seconds)


def _savgol(half_gain_hz: float) -> SavitzkyGolay:
    return SavitzkyGolay(radius_seconds=0.63 / half_gain_hz, order=2)


def _one_euro(half_gain_hz: float) -> OneEuro:
    # First order, so its gain is one half at sqrt(3) times the cutoff. A face that moves by its
    # own width in a second adds 4 Hz to it.
    return OneEuro(min_cutoff_hz=half_gain_hz / sqrt(3), cutoff_per_speed=4.0)


def _kalman(half_gain_hz: float) -> Kalman:
    # What is further ahead counts for less than 5 %.
    return Kalman(half_gain_hz, lag_seconds=0.7 / half_gain_hz)


_MAKERS: Mapping[str, Callable[[float], Filter[Any]]] = {
    "savgol": _savgol,
    "gaussian": _gaussian,
    "one-euro": _one_euro,
    "kalman": _kalman,
}

PROFILES: Mapping[str, Profile | None] = {
    "off": None,
    "none": None,
    **_MEASURED,
    **{name: Profile(*map(make, _HALF_GAINS_HZ["light"])) for name, make in _MAKERS.items()},
    **{
        f"{name}:{strength}": Profile(*map(make, half_gains_hz))
        for name, make in _MAKERS.items()
        for strength, half_gains_hz in _HALF_GAINS_HZ.items()
    },
}
"""Every choice of ``--smooth``: ``off`` and ``none`` leave all as it was measured, ``light`` and
``strong`` are the mixtures we recommend, and each filter can be had alone."""
