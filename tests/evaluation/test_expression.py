"""3DDFA_V2 gets the crop and the levels it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from megafs_video.errors import WeightsError
from megafs_video.evaluation.expression import CROP_SIZE, FaceModel, build_face_model
from megafs_video.values import Face, FloatArray


class FakeSession:
    """Answers with rising numbers and keeps what it was asked."""

    def __init__(self, num_answers: int = 62) -> None:
        self.levels: Any = None
        self._num_answers = num_answers

    def run(self, outputs: None, feed: dict[str, Any]) -> list[FloatArray]:
        self.levels = feed["input"]
        return [np.arange(self._num_answers, dtype=np.float32)[None]]


def test_the_last_ten_numbers_are_the_expression() -> None:
    face = Face(np.array([50.0, 50.0, 150.0, 150.0]), np.zeros((5, 2)), 1.0)
    found = FaceModel(FakeSession()).expression(np.zeros((300, 300, 3), np.uint8), face)
    np.testing.assert_array_equal(found, np.arange(52, 62))


def test_levels_are_blue_first_and_the_crop_is_the_square_about_the_box() -> None:
    session = FakeSession()
    pixels = np.zeros((300, 300, 3), np.uint8)
    pixels[85:243, 21:179] = (255, 0, 0)  # the square of this box, in red
    face = Face(np.array([49.5, 99.5, 149.5, 199.5]), np.zeros((5, 2)), 1.0)
    pixels[164:243] = 0  # and only its upper half
    FaceModel(session).expression(pixels, face)
    assert session.levels.shape == (1, 3, CROP_SIZE, CROP_SIZE)
    assert session.levels.dtype == np.float32
    blue, red = session.levels[0, 0], session.levels[0, 2]
    np.testing.assert_allclose(blue, -127.5 / 128)
    np.testing.assert_allclose(red[1:59, 1:-1], 127.5 / 128)
    np.testing.assert_allclose(red[61:], -127.5 / 128)


def test_another_network_is_refused() -> None:
    face = Face(np.array([50.0, 50.0, 150.0, 150.0]), np.zeros((5, 2)), 1.0)
    with pytest.raises(ValueError, match=r"parameters has shape \[1, 70\], wanted \[1, 62\]"):
        FaceModel(FakeSession(70)).expression(np.zeros((300, 300, 3), np.uint8), face)


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.onnx"):
        build_face_model(tmp_path / "none.onnx")
