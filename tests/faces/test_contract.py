"""The contracts: what counts as five landmarks, and that the fakes keep them."""

import numpy as np
import pytest

from megafs_video.faces.contract import Detector, Landmarker, Recognizer, five_points
from megafs_video.geometry.squares import Square
from megafs_video.values import Face
from tests.faces.fakes import FakeDetector, FakeLandmarker, FakeRecognizer, face_in

BOX = np.array([0.0, 0.0, 10.0, 10.0])


def test_five_landmarks_are_taken_as_they_are() -> None:
    five_xy = np.arange(10.0).reshape(5, 2)
    np.testing.assert_array_equal(five_points(Face(BOX, five_xy, 1.0)), five_xy)


def test_the_five_points_of_a_mesh_lie_as_in_a_face() -> None:
    left_eye, right_eye, nose, left_mouth, right_mouth = five_points(
        face_in(Square(100.0, 100.0, 200.0, 0.0))
    )
    assert left_eye[0] < nose[0] < right_eye[0] and left_mouth[0] < right_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]


def test_68_landmarks_are_refused() -> None:
    with pytest.raises(ValueError, match="a face has 68 landmarks, wanted 5 or 478"):
        five_points(Face(BOX, np.zeros((68, 2)), 1.0))


def test_the_fakes_keep_the_contracts() -> None:
    detector: Detector = FakeDetector([])
    landmarker: Landmarker = FakeLandmarker()
    recognizer: Recognizer = FakeRecognizer()
    assert detector and landmarker and recognizer
