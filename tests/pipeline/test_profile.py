"""Profiles: what a filter by name leaves of tones and of noise, at 30 frames a second."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from megafs_video.cli.options import SMOOTH_CHOICES
from megafs_video.pipeline.profile import PROFILES, Profile
from megafs_video.trajectories.filters import Filter
from megafs_video.values import FloatArray
from tests.trajectories.streams import streamed

SECONDS = np.arange(300) / 30
INNER = slice(60, -60)


def profile_of(name: str) -> Profile:
    """A profile that smooths."""
    profile = PROFILES[name]
    assert profile is not None
    return profile


def gain(filter: Filter[Any], tone_hz: float) -> float:
    """What is left of a small tone."""
    tone: FloatArray = 1e-4 * np.cos(2 * np.pi * tone_hz * SECONDS)
    return float(streamed(filter, SECONDS, tone, max_samples=8)[INNER].std() / tone[INNER].std())


def test_the_command_line_and_the_options_know_the_same_profiles() -> None:
    assert set(SMOOTH_CHOICES) == set(PROFILES)


@pytest.mark.parametrize("name", ["savgol", "gaussian", "one-euro", "kalman"])
@pytest.mark.parametrize("strength", ["light", "strong"])
def test_a_filter_by_name_halves_the_tones_that_the_measured_profile_halves(
    name: str, strength: str
) -> None:
    halved_hz = {"place": 1.4, "outline": 2.8, "constant": 8.8, "fine": 1.4, "colour": 1.4}
    halved_hz |= {"middle": 8.8 if strength == "light" else 5.6}
    profile = profile_of(f"{name}:{strength}")
    for part, tone_hz in halved_hz.items():
        if (name, tone_hz) == ("savgol", 1.4):
            tone_hz = 2.4  # the widest window that there is has 17 frames
        tolerance = 0.12
        assert gain(getattr(profile, part), tone_hz) == pytest.approx(0.5, abs=tolerance), part


@pytest.mark.parametrize("strength", ["light", "strong"])
def test_what_carries_speech_keeps_it_and_colour_may_not_flicker(strength: str) -> None:
    profile = profile_of(strength)
    assert gain(profile.constant, 2.0) > 0.99 and gain(profile.constant, 5.0) > 0.95
    noise = np.random.default_rng(0).normal(size=300)
    assert streamed(profile.fine, SECONDS, noise).std() < 0.6 * noise.std()


def test_light_is_what_a_filter_by_name_means() -> None:
    assert profile_of("kalman") == profile_of("kalman:light") != profile_of("kalman:strong")


def test_one_euro_looks_at_no_later_frame() -> None:
    profile = profile_of("one-euro:strong")
    parts = (
        profile.place,
        profile.outline,
        profile.constant,
        profile.coarse,
        profile.middle,
        profile.fine,
    )
    assert all(part.lookahead_seconds == 0 for part in (*parts, profile.colour))
