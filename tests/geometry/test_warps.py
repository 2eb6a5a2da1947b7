"""Warps: nothing moves by half a pixel, nothing shimmers, nothing is black."""

import numpy as np
import pytest

from megafs_video.geometry.squares import Square
from megafs_video.geometry.warps import warp
from megafs_video.values import UInt8Array


def noise(height: int, width: int) -> UInt8Array:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_the_whole_square_picture_is_its_own_crop() -> None:
    pixels = noise(64, 64)
    np.testing.assert_array_equal(
        warp(pixels, Square(31.5, 31.5, 64.0, 0.0).frame_to_crop(64), 64), pixels
    )


def test_half_the_size_is_the_mean_of_four_pixels() -> None:
    pixels = noise(64, 64)
    crop = warp(pixels, Square(31.5, 31.5, 64.0, 0.0).frame_to_crop(32), 32)
    mean = pixels.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(crop, mean, atol=1)  # rounded to whole levels


def test_a_fine_pattern_averages_out_in_a_small_crop() -> None:
    pixels = np.zeros((512, 512, 3), dtype=np.uint8)
    pixels[:, ::2] = 255
    crop = warp(pixels, Square(255.5, 255.5, 400.0, 0.2).frame_to_crop(64), 64)
    # The pattern's mean is 127.5; a plain bilinear warp swings over the whole range here.
    assert abs(crop.astype(float).mean() - 127.5) < 2 and crop.std() < 20


def test_beyond_the_frame_the_picture_is_mirrored() -> None:
    pixels = np.full((50, 50, 3), 200, dtype=np.uint8)
    crop = warp(pixels, Square(0.0, 25.0, 60.0, 0.0).frame_to_crop(32), 32)
    assert crop.min() == 200


def test_a_turned_square_comes_out_upright() -> None:
    pixels = np.zeros((100, 100, 3), dtype=np.uint8)
    pixels[:, 50:] = 255  # the right half; a quarter turn makes it the upper half of the crop
    crop = warp(pixels, Square(49.5, 49.5, 40.0, np.pi / 2).frame_to_crop(16), 16)
    assert crop[:7].min() == 255 and crop[9:].max() == 0


def test_a_picture_of_floats_is_refused() -> None:
    with pytest.raises(ValueError, match="pixels has dtype float64, wanted uint8"):
        warp(np.zeros((8, 8, 3)), Square(4.0, 4.0, 8.0, 0.0).frame_to_crop(8), 8)  # type: ignore[arg-type]


def test_a_crop_of_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="size is 0"):
        warp(noise(8, 8), Square(4.0, 4.0, 8.0, 0.0).frame_to_crop(8), 0)
