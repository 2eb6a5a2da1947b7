"""Kalman with a fixed lag is the smoothing spline of what has been seen so far."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import make_smoothing_spline

from megafs_video.trajectories.kalman import Kalman
from tests.trajectories.streams import streamed

CHANCE = np.random.default_rng(0)
SECONDS = np.cumsum(CHANCE.uniform(0.01, 0.06, 50))
VALUES = CHANCE.normal(size=(50, 2))
CONFIDENCES = CHANCE.uniform(0.1, 1.0, 50)
# Nothing is assumed of the first speed but that its deviation is below 30,000 a second.
TOLERANCE = 1e-4


@pytest.mark.parametrize("half_gain_hz", [1.0, 2.8, 5.7])
def test_with_the_whole_clip_in_sight_it_is_scipys_smoothing_spline(half_gain_hz: float) -> None:
    filter = Kalman(half_gain_hz, lag_seconds=60.0)
    found = streamed(filter, SECONDS, VALUES, list(CONFIDENCES))
    spline = make_smoothing_spline(SECONDS, VALUES, w=CONFIDENCES, lam=1 / filter.drift)
    np.testing.assert_allclose(found, spline(SECONDS), atol=TOLERANCE)


@pytest.mark.parametrize("lag_seconds", [0.0, 0.1, 0.3])
def test_with_a_lag_it_is_the_spline_of_what_was_seen_by_then(lag_seconds: float) -> None:
    filter = Kalman(2.8, lag_seconds)
    found = streamed(filter, SECONDS, VALUES, list(CONFIDENCES))
    for index, now in enumerate(SECONDS):
        seen = now + lag_seconds >= SECONDS
        if seen.sum() >= 5:  # scipy wants as many
            spline = make_smoothing_spline(
                SECONDS[seen], VALUES[seen], w=CONFIDENCES[seen], lam=1 / filter.drift
            )
            np.testing.assert_allclose(found[index], spline(now), atol=TOLERANCE)


def test_a_face_that_moves_evenly_is_followed_up_to_both_ends() -> None:
    line = 3.0 * SECONDS - 1.0
    found = streamed(Kalman(1.0, 0.2), SECONDS, line, list(CONFIDENCES))
    np.testing.assert_allclose(found, line, atol=1e-4)


@pytest.mark.parametrize(("tone_hz", "gain"), [(1.4, 16 / 17), (2.8, 1 / 2), (5.6, 1 / 17)])
def test_a_tone_has_the_gain_that_the_docstring_says(tone_hz: float, gain: float) -> None:
    seconds = np.arange(300) / 30
    tone = np.cos(2 * np.pi * tone_hz * seconds)
    found = streamed(Kalman(2.8, 0.5), seconds, tone)[60:-60]
    # Sampling 30 times a second adds less than 2 % of the tone.
    np.testing.assert_allclose(found, gain * tone[60:-60], atol=0.02)


def test_a_doubtful_sample_is_bridged() -> None:
    values = np.zeros(50)
    values[25] = 1.0
    confidences = [1.0] * 50
    sure = streamed(Kalman(5.7, 0.3), SECONDS, values, confidences)[25]
    confidences[25] = 0.01
    assert streamed(Kalman(5.7, 0.3), SECONDS, values, confidences)[25] < 0.05 < 0.3 < sure


def test_samples_at_one_time_are_averaged() -> None:
    found = streamed(Kalman(2.8, 0.1), np.zeros(4), np.arange(4.0))
    np.testing.assert_allclose(found[-1], 1.5, atol=1e-6)


def test_a_minute_leaves_it_as_sure_as_a_second() -> None:
    seconds = np.arange(1800) / 30
    noise = np.random.default_rng(0).normal(size=1800)
    found = streamed(Kalman(2.8, 0.25), seconds, noise, max_samples=8)
    assert 0.8 < found[-300:].std() / found[:300].std() < 1.25


def test_nonsense_is_refused() -> None:
    for wrong in [(0.0, 0.1), (1.0, -0.1)]:
        with pytest.raises(ValueError, match="wants a positive frequency and a lag of 0 or more"):
            Kalman(*wrong)
