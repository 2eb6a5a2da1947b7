"""E_warp: nothing for what moves with the picture, the noise for what does not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from megafs_video.evaluation.warping import flow, occluded, warp_errors
from megafs_video.values import UInt8Array

HEIGHT, WIDTH = 96, 128
INNER = np.zeros((HEIGHT, WIDTH), bool)
INNER[16:-16, 16:-16] = True


def texture(seed: int = 0) -> UInt8Array:
    """Soft blobs that flow can follow, and room around them."""
    noise = np.random.default_rng(seed).normal(size=(HEIGHT, WIDTH, 3))
    soft = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return np.clip(128 + 60 * soft / soft.std(), 0, 255).astype(np.uint8)


def moved(pixels: UInt8Array, x: float, y: float) -> UInt8Array:
    """The picture moved by so many pixels."""
    matrix = np.array([[1.0, 0.0, x], [0.0, 1.0, y]])
    return cv2.warpAffine(pixels, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT_101)  # type: ignore[return-value]


def test_a_frozen_clip_has_no_error() -> None:
    still = texture()
    assert warp_errors([still, still], [still, still], INNER) == [0.0, 0.0]


def test_flow_is_the_translation() -> None:
    steps = flow(texture(), moved(texture(), 3, -2))
    np.testing.assert_allclose(np.median(steps[INNER], axis=0), [3, -2], atol=0.1)


def test_a_pure_translation_has_next_to_no_error() -> None:
    before, after = texture(), moved(texture(), 3, -2)
    assert warp_errors([before], [after], INNER)[0] < 1e-4
    # Against the frame itself, not warped, it is a hundred times as much.
    unwarped = np.square((after.astype(float) - before) / 255)[INNER].mean()
    assert warp_errors([before], [after], INNER)[0] < unwarped / 100


def test_noise_that_the_input_does_not_have_counts_by_its_variance() -> None:
    still, chance = texture(), np.random.default_rng(1)
    noisy = [
        np.clip(still + chance.normal(0, 8, still.shape), 0, 255).round().astype(np.uint8)
        for _ in range(2)
    ]
    target, swapped = warp_errors([still, noisy[0]], [still, noisy[1]], INNER)
    assert target == 0
    assert swapped == pytest.approx(2 * (8 / 255) ** 2, rel=0.1)


def test_a_copy_that_stands_still_while_the_input_moves_is_an_error() -> None:
    still = texture()
    target, swapped = warp_errors([still, still], [moved(still, 3, 0), still], INNER)
    assert swapped > 50 * target


def test_where_the_flow_back_does_not_undo_it_a_pixel_is_occluded() -> None:
    there = np.zeros((20, 30, 2), np.float32)
    there[..., 0] = 2.0
    assert not occluded(there, -there).any()
    back = -there
    back[:, 15:] = 5.0
    found = occluded(there, back)
    assert found[:, 14:].all() and not found[:, :12].any()


def test_without_a_pixel_to_compare_there_is_no_number() -> None:
    still = texture()
    assert np.isnan(warp_errors([still, still], [still, still], np.zeros_like(INNER))).all()


def test_frames_of_another_size_are_refused() -> None:
    still = texture()
    with pytest.raises(ValueError, match=r"frames has shape \[95, 128, 3\]"):
        warp_errors([still], [still[1:]], INNER)
