"""Sheets of pictures: the fixed map to 8 bits, and the order of rows."""

from __future__ import annotations

import numpy as np
import torch

from megafs_video.training.faces import to_device_pixels
from megafs_video.training.sheets import rows_of, to_host_pixels
from tests.training.small import small_faces


def test_host_pixels_come_back_from_the_device() -> None:
    faces = small_faces(3)
    np.testing.assert_array_equal(to_host_pixels(to_device_pixels(faces)), faces)


def test_what_is_out_of_range_is_clipped() -> None:
    pixels = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0]).view(1, 1, 1, 5).repeat(1, 3, 1, 1)
    assert to_host_pixels(pixels)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_rows_stand_one_above_the_other() -> None:
    black, white = -torch.ones(2, 3, 4, 5), torch.ones(2, 3, 4, 5)
    white[1] = 0
    sheet = rows_of(black, white)
    assert sheet.shape == (8, 10, 3)
    assert (sheet[:4] == 0).all()
    assert (sheet[4:, :5] == 255).all()
    assert (sheet[4:, 5:] == 128).all()
