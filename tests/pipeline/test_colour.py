"""A face in another light: what changes, what stays, and what is left out of the comparison."""

from __future__ import annotations

import numpy as np
import pytest

from megafs_video.pipeline.colour import UNCHANGED, match_light, place_terms
from megafs_video.values import FloatArray, UInt8Array

SIZE = 64
PLACES = np.stack(np.meshgrid(*[np.linspace(-1, 1, SIZE)] * 2), axis=-1)  # [S, S, 2]
EVERYWHERE = np.ones((SIZE, SIZE))


def grey(levels: FloatArray) -> UInt8Array:
    """Levels [S, S] as a picture [S, S, 3]."""
    return np.repeat(levels[..., None], 3, axis=-1).round().clip(0, 255).astype(np.uint8)


def rough(middle: float, deviation: float, seed: int = 0) -> FloatArray:
    """Levels [S, S] of evenly lit skin with pores."""
    return np.random.default_rng(seed).normal(middle, deviation, (SIZE, SIZE))


def relit(picture: UInt8Array, light_map: FloatArray) -> FloatArray:
    return picture @ light_map[:, :3].T + place_terms(PLACES) @ light_map[:, 3:].T


def match(swapped: UInt8Array, target: UInt8Array) -> FloatArray:
    return match_light(swapped, target, EVERYWHERE, PLACES)


def test_light_and_contrast_become_the_targets() -> None:
    swapped = grey(rough(120, 10))
    side_light = np.array([40.0, 30.0, 20.0]) * PLACES[..., :1] - 15 * PLACES[..., 1:] ** 2
    target = (0.9 * swapped + [30.0, -6.0, -20.0] + side_light).round().astype(np.uint8)
    found = relit(swapped, match(swapped, target))
    assert np.abs(found - target).mean() < 1
    assert np.abs(found - target).max() < 6


def test_a_face_in_its_own_light_stays_as_it_is() -> None:
    swapped = grey(rough(120, 15) + 50 * PLACES[..., 0])
    np.testing.assert_allclose(match(swapped, swapped), UNCHANGED, atol=1e-6)


def test_the_light_of_the_generated_face_is_taken_away() -> None:
    skin = rough(120, 6)
    swapped, target = grey(skin + 60 * PLACES[..., 0]), grey(skin - 20 * PLACES[..., 0])
    found = relit(swapped, match(swapped, target))
    assert np.abs(found - target).mean() < 2


def test_brows_and_lips_stay_darker_than_the_skin_by_what_they_were() -> None:
    skin = rough(150, 4)
    with_brows = skin.copy()
    with_brows[12:18, 8:56] -= 80
    found = relit(grey(with_brows), match(grey(with_brows), grey(skin - 40)))
    assert found[12:18, 8:56].mean() == pytest.approx(110 - 80, abs=10)
    assert found[24:60].mean() == pytest.approx(110, abs=4)


def test_what_covers_a_sixth_of_the_target_tints_the_rest_by_a_few_levels() -> None:
    skin = rough(150, 8)
    covered = skin.copy()
    covered[-SIZE // 6 :] = 40
    found = relit(grey(skin), match(grey(skin), grey(covered)))
    assert np.abs(found[: SIZE // 2].mean() - 150) < 6
    assert covered.mean() < 135  # where a mean would have put it


def test_contrast_changes_within_bounds() -> None:
    flat, wild = grey(rough(100, 0)), grey(rough(128, 60))
    white = np.ones(3)
    assert match(wild, flat)[:, :3] @ white == pytest.approx(0.75 * white)
    assert match(flat, wild)[:, :3] @ white == pytest.approx(1.1 * white)


def test_only_the_weighted_part_is_compared() -> None:
    target = np.full((SIZE, SIZE, 3), 50, np.uint8)
    target[:, 32:] = 250
    weights = np.zeros((SIZE, SIZE))
    weights[:, :32] = 1
    swapped = np.full((SIZE, SIZE, 3), 90, np.uint8)
    found = relit(swapped, match_light(swapped, target, weights, PLACES))
    np.testing.assert_allclose(found[:, :32], 50, atol=1e-6)


def test_too_little_to_compare_changes_nothing() -> None:
    pixels = np.full((SIZE, SIZE, 3), 90, np.uint8)
    light_map = match_light(pixels, pixels + 9, np.zeros((SIZE, SIZE)), PLACES)
    np.testing.assert_array_equal(light_map, UNCHANGED)


def test_pictures_of_two_sizes_are_refused() -> None:
    small, large = np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="target has shape"):
        match_light(small, large, np.ones((4, 4)), np.zeros((4, 4, 2)))
    with pytest.raises(ValueError, match="places has shape"):
        match_light(small, small, np.ones((4, 4)), np.zeros((5, 4, 2)))
