"""E_warp: nothing for what moves with the picture, the noise for what does not."""

from __future__ import annotations

import numpy as np
import pytest

from megafs_video.evaluation.warping import warp_errors
from tests.geometry.moving import HEIGHT, WIDTH, moved, texture

INNER = np.zeros((HEIGHT, WIDTH), bool)
INNER[16:-16, 16:-16] = True


def test_a_frozen_clip_has_no_error() -> None:
    still = texture()
    assert warp_errors([still, still], [still, still], INNER) == [0.0, 0.0]


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


def test_without_a_pixel_to_compare_there_is_no_number() -> None:
    still = texture()
    assert np.isnan(warp_errors([still, still], [still, still], np.zeros_like(INNER))).all()


def test_frames_of_another_size_are_refused() -> None:
    still = texture()
    with pytest.raises(ValueError, match=r"frames has shape \[95, 128, 3\]"):
        warp_errors([still], [still[1:]], INNER)
