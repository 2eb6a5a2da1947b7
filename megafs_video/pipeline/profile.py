"""How strongly each thing that could flicker is smoothed: the table behind ``--smooth``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from megafs_video.trajectories.adaptive import Adaptive
from megafs_video.trajectories.euro import OneEuro
from megafs_video.trajectories.filters import Filter
from megafs_video.trajectories.fits import Gaussian, SavitzkyGolay
from megafs_video.trajectories.kalman import Kalman


@dataclass(frozen=True)
class Profile:
    """One filter for each: what carries speech and blinks must hardly be touched."""

    place: Filter[Any]  # of the crop, as seen from the head: centre, log of the side, rotation
    outline: Filter[Any]  # of the face, as seen from the head, which is the mask
    constant: Filter[Any]  # C, the 4 px map: nearly all of pose, lips and eyelids
    coarse: Filter[Any]  # codes of the 4 and 8 px layers: a little of all that moves
    middle: Filter[Any]  # codes of the 16 and 32 px layers: lips and lids, and some identity
    fine: Filter[Any]  # codes from 64 px on: identity, colour, texture, and nothing that moves
    colour: Filter[Any]  # the map that gives the swapped face the target's colours
    # Memory of each point of the skin, as it moves with the face.
    texture_seconds: float = field(default=0.2, kw_only=True)


# Gain for a tone at 2, 5 and 8 Hz (speech is 2 to 7 Hz) and what is left of white noise, at 30
# frames a second: 1.0, .98, .77 and 75 %; .71, .11, .01 and 38 %; .29, .01, .01 and 28 %. Radii
# are just above 3, 5 and 8 frames of 29.97 frames a second.
_SPEECH = SavitzkyGolay(radius_seconds=0.121, order=4)
_STEADY = Gaussian(sigma_seconds=1 / 15, radius_seconds=0.17)
_CALM = Gaussian(sigma_seconds=0.13, radius_seconds=0.27)
# As calm as the second while only noise moves, and as quick as the first when a face does.
_POSE = Adaptive(_SPEECH, _STEADY)
# Nobody becomes somebody else within a shot: a memory of seconds, and a look ahead of 8 frames.
_IDENTITY = Kalman(half_gain_hz=0.15, lag_seconds=0.27)

# Chosen by measurement: docs/smoothing.md.
_MEASURED = {
    "light": Profile(_CALM, _STEADY, _SPEECH, _POSE, _SPEECH, _IDENTITY, _CALM),
    "strong": Profile(_CALM, _STEADY, _SPEECH, _POSE, _POSE, _IDENTITY, _CALM, texture_seconds=0.4),
}

_HALF_GAINS_HZ = {
    #         place, outline, constant, coarse, middle, fine, colour
    "light": (1.4, 2.8, 8.8, 5.6, 8.8, 1.4, 1.4),
    "strong": (1.4, 2.8, 8.8, 5.6, 5.6, 1.4, 1.4),
}
"""The tones that a filter by name is made to halve."""


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
