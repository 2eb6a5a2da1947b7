"""Closed forms: a frozen clip, a pure translation, white noise, a step, a sine, uneven times."""

from __future__ import annotations

import numpy as np
import pytest

from megafs_video.evaluation.stability import (
    accelerations,
    adjacent_cosines,
    expression_errors,
    flickers,
)
from megafs_video.values import FloatArray

RATE_HZ = 30
EVEN = np.arange(600) / RATE_HZ
UNEVEN = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.06, 600))


def points(x: FloatArray, y: FloatArray | float = 0.0) -> FloatArray:
    """Three points that move alike, [T, 3, 2]."""
    xy = np.stack([x, np.broadcast_to(y, x.shape)], axis=-1)
    return xy[:, None] + np.array([[0.0, 0.0], [5.0, 1.0], [2.0, 8.0]])


@pytest.mark.parametrize("seconds", [EVEN, UNEVEN], ids=["even", "uneven"])
class TestWhatIsStillAtAnyTimes:
    def test_a_frozen_clip_has_no_acceleration_and_no_flicker(self, seconds: FloatArray) -> None:
        frozen = np.full(600, 7.0)
        assert np.nanmax(accelerations(points(frozen), seconds)) == 0
        np.testing.assert_allclose(flickers(frozen[:, None], seconds)[1:-1], 0, atol=1e-12)
        cosines = adjacent_cosines(np.tile([3.0, 4.0], (600, 1)))
        np.testing.assert_allclose(cosines[1:], 1)

    def test_a_pure_translation_has_none_either(self, seconds: FloatArray) -> None:
        moved = points(40 * seconds, -3 * seconds)
        np.testing.assert_allclose(accelerations(moved, seconds)[1:-1], 0, atol=1e-6)
        np.testing.assert_allclose(flickers(moved[:, 0], seconds)[1:-1], 0, atol=1e-9)

    def test_a_parabola_has_its_second_derivative(self, seconds: FloatArray) -> None:
        found = accelerations(points(1.5 * seconds**2, 2 * seconds**2), seconds)
        np.testing.assert_allclose(found[1:-1], 5.0, rtol=1e-5)  # hypot(3, 4)

    def test_white_noise_flickers_by_its_deviation(self, seconds: FloatArray) -> None:
        noise = np.random.default_rng(1).normal(0, 2.5, (600, 3))
        found = np.sqrt(np.nanmean(np.square(flickers(noise, seconds))))
        assert found == pytest.approx(2.5, rel=0.05)

    def test_the_ends_are_not_measured(self, seconds: FloatArray) -> None:
        for found in (
            accelerations(points(seconds), seconds),
            flickers(points(seconds)[:, 0], seconds),
        ):
            assert np.isnan(found[[0, -1]]).all() and np.isfinite(found[1:-1]).all()


def test_white_noise_accelerates_by_root_six_deviations_a_squared_interval() -> None:
    noise = np.random.default_rng(1).normal(0, 0.2, 600)
    found = np.sqrt(np.nanmean(np.square(accelerations(points(noise), EVEN))))
    assert found == pytest.approx(np.sqrt(6) * 0.2 * RATE_HZ**2, rel=0.05)


def test_a_step_is_seen_in_the_two_frames_beside_it() -> None:
    step = (np.arange(20) >= 10) * 3.0
    found = accelerations(points(step), EVEN[:20])
    np.testing.assert_allclose(found[[9, 10]], 3.0 * RATE_HZ**2)
    assert np.nansum(np.delete(found, [9, 10])) < 1e-9
    np.testing.assert_allclose(flickers(step[:, None], EVEN[:20])[[9, 10]], 3 / np.sqrt(6))


def test_a_sine_has_the_acceleration_of_its_frequency() -> None:
    tone_hz, size = 2.0, 4.0
    found = accelerations(points(size * np.sin(2 * np.pi * tone_hz * EVEN)), EVEN)[1:-1]
    peak = size * np.square(2 * RATE_HZ * np.sin(np.pi * tone_hz / RATE_HZ))
    assert np.sqrt(np.square(found).mean()) == pytest.approx(peak / np.sqrt(2), rel=0.01)


def test_a_turning_identity_has_the_cosine_of_its_turn() -> None:
    angles = 0.1 * np.arange(50)
    identities = np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.arange(1, 51)[:, None]
    found = adjacent_cosines(identities)
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], np.cos(0.1))


def test_a_frame_without_a_face_takes_its_neighbours_with_it_and_no_more() -> None:
    values = np.zeros((10, 3))
    values[4] = np.nan
    for found in (flickers(values, EVEN[:10]), accelerations(values[:, :, None], EVEN[:10])):
        assert np.flatnonzero(np.isnan(found)).tolist() == [0, 3, 4, 5, 9]
    assert np.flatnonzero(np.isnan(adjacent_cosines(values + 1))).tolist() == [0, 4, 5]


@pytest.mark.parametrize("num_frames", [0, 1, 2])
def test_a_clip_too_short_to_tell_tells_nothing(num_frames: int) -> None:
    seconds = EVEN[:num_frames]
    assert np.isnan(accelerations(np.zeros((num_frames, 3, 2)), seconds)).all()
    assert np.isnan(flickers(np.zeros((num_frames, 3)), seconds)).all()
    assert np.isnan(expression_errors(*[np.zeros((0, 3, 2))] * 2)).all()


SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def test_the_place_the_size_and_the_features_of_another_person_are_no_expression() -> None:
    target = np.stack([SQUARE * (1 + 0.1 * t) + t for t in range(8)])
    features = np.array([[0.2, 0.0], [0.0, 0.1], [0.0, 0.0], [0.0, 0.0]])
    other = np.stack([3 * (SQUARE + features) - 7] * 8)
    np.testing.assert_allclose(expression_errors(target, other), 0, atol=1e-9)


def test_a_mouth_that_stays_shut_is_an_error_when_the_target_speaks() -> None:
    opening = 0.05 * (-1.0) ** np.arange(8)
    jaw = np.array([[0, 0], [0, 0], [0, 1], [0, -1]])
    target = np.stack([SQUARE + size * jaw for size in opening])
    shut = np.stack([SQUARE] * 8)
    found = expression_errors(target, shut)
    # 0.05 for half of the points, of 0.71; a part of it looks like a turn and is laid over.
    assert np.all(found > 0.02) and np.all(found < 0.1)
    assert expression_errors(target, target).max() < 1e-9


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match=r"points has shape \[3, 2, 2\], wanted \[2, any, any\]"):
        accelerations(np.zeros((3, 2, 2)), np.zeros(2))
    with pytest.raises(ValueError, match=r"values has shape"):
        flickers(np.zeros((3, 2)), np.zeros(2))
    with pytest.raises(ValueError, match=r"swapped_xy has shape"):
        expression_errors(np.zeros((3, 2, 2)), np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match=r"identities has shape \[4\]"):
        adjacent_cosines(np.zeros(4))
