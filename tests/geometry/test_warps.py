"""Warps: nothing moves by half a pixel, nothing shimmers, nothing is black."""

import cv2
import numpy as np
import pytest

from megafs_video.geometry.squares import Square
from megafs_video.geometry.warps import grey_warp, warp
from megafs_video.values import UInt8Array
from tests.geometry.moving import HEIGHT, WIDTH, texture


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


def test_a_crop_that_touches_the_border_is_what_one_beside_it_is() -> None:
    # Only where it might have to mirror is the slower way taken.
    pixels = texture()
    wider = np.pad(pixels, ((8, 8), (8, 8), (0, 0)), mode="reflect")
    for x in (29.0, 30.0, 31.5, 33.0):
        place = Square(x, HEIGHT / 2, 60.0, 0.0)
        beside = Square(x + 8, HEIGHT / 2 + 8, 60.0, 0.0)
        found, wanted = (
            warp(picture, square.frame_to_crop(48), 48).astype(int)
            for picture, square in ((pixels, place), (wider, beside))
        )
        assert np.abs(found - wanted).max() <= 1  # level: fractions round otherwise


@pytest.mark.parametrize("size", [40, 64, 130, 300])
@pytest.mark.parametrize("x", [WIDTH / 2, 10.0])
def test_a_grey_crop_is_the_crop_in_grey(size: int, x: float) -> None:
    large = cv2.resize(texture(), (4 * WIDTH, 4 * HEIGHT), interpolation=cv2.INTER_CUBIC)
    place = Square(4 * x, 2 * HEIGHT, 256.0, 0.2).frame_to_crop(size)
    found = grey_warp(np.asarray(large, np.uint8), place, size)
    wanted = cv2.cvtColor(warp(np.asarray(large, np.uint8), place, size), cv2.COLOR_RGB2GRAY)
    assert found.shape == (size, size)
    # A fifteenth of the contrast (60 levels): the means are of other pixels.
    assert np.abs(found.astype(float) - wanted)[2:-2, 2:-2].mean() < 4


def test_a_grey_crop_that_shows_nothing_of_the_picture_is_no_error() -> None:
    place = Square(500.0, 500.0, 64.0, 0.0).frame_to_crop(16)
    assert grey_warp(texture(), place, 16).shape == (16, 16)
    assert grey_warp(noise(3, 5), Square(2.0, 1.0, 200.0, 0.0).frame_to_crop(16), 16).shape == (
        16,
        16,
    )


def test_a_picture_of_floats_is_refused() -> None:
    with pytest.raises(ValueError, match="pixels has dtype float64, wanted uint8"):
        warp(np.zeros((8, 8, 3)), Square(4.0, 4.0, 8.0, 0.0).frame_to_crop(8), 8)  # type: ignore[arg-type]


def test_a_crop_of_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="size is 0"):
        warp(noise(8, 8), Square(4.0, 4.0, 8.0, 0.0).frame_to_crop(8), 0)
    with pytest.raises(ValueError, match="size is 0"):
        grey_warp(noise(8, 8), Square(4.0, 4.0, 8.0, 0.0).frame_to_crop(8), 0)
