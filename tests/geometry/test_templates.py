"""The FFHQ recipe: against its published formula, and where it puts the eyes."""

import numpy as np
import pytest

from megafs_video.geometry.similarity import transform_points
from megafs_video.geometry.squares import Square
from megafs_video.geometry.templates import (
    FACE_OVAL,
    FACE_SIDES,
    FFHQ_EYES_XY,
    LEFT_EYE,
    MOUTH_CORNERS,
    NOSE_TIP,
    RIGHT_EYE,
    ffhq_square,
    mesh_square,
    mesh_yaw_degrees,
)
from megafs_video.values import FloatArray
from tests.faces.fakes import mesh_in


def published_quad(eyes_xy: FloatArray, mouth_xy: FloatArray) -> FloatArray:
    """The quad of the FFHQ paper's script, with its own arithmetic."""
    eye_avg, eye_to_eye = eyes_xy.mean(axis=0), eyes_xy[1] - eyes_xy[0]
    eye_to_mouth = mouth_xy.mean(axis=0) - eye_avg
    x = eye_to_eye - np.flipud(eye_to_mouth) * [-1, 1]
    x /= np.hypot(*x)
    x *= max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8)
    y = np.flipud(x) * [-1, 1]
    c = eye_avg + eye_to_mouth * 0.1
    return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])


@pytest.mark.parametrize("seed", range(5))
def test_the_square_is_the_published_quad(seed: int) -> None:
    jitter = np.random.default_rng(seed).normal(0, 12, (4, 2))
    eyes_xy = np.array([[95.0, 120.0], [161.0, 120.0]]) + jitter[:2]
    mouth_xy = np.array([[105.0, 190.0], [151.0, 190.0]]) + jitter[2:]
    square = ffhq_square(*eyes_xy, *mouth_xy)
    np.testing.assert_allclose(square.corners_xy, published_quad(eyes_xy, mouth_xy), atol=1e-9)


def test_the_eyes_of_a_mesh_land_where_ffhq_has_them() -> None:
    mesh_xy = mesh_in(Square(400.0, 300.0, 350.0, angle=-0.5))
    frame_to_crop = mesh_square(mesh_xy).frame_to_crop(256)
    for eye, place_xy in zip((LEFT_EYE, RIGHT_EYE), FFHQ_EYES_XY, strict=True):
        eye_xy = transform_points(mesh_xy[list(eye)], frame_to_crop).mean(axis=0)
        # FFHQ's own faces vary by about two hundredths around this place.
        np.testing.assert_allclose((eye_xy + 0.5) / 256, place_xy, atol=0.02)


def test_every_mesh_point_is_named_once() -> None:
    for points in (LEFT_EYE, RIGHT_EYE, FACE_OVAL, MOUTH_CORNERS):
        assert len(set(points)) == len(points)
    assert not set(LEFT_EYE) & set(RIGHT_EYE)


@pytest.mark.parametrize("yaw_degrees", [-60.0, -20.0, 0.0, 35.0, 75.0])
@pytest.mark.parametrize("angle", [0.0, 0.7, 3.0])
def test_a_head_that_turns_shows_more_of_one_side(yaw_degrees: float, angle: float) -> None:
    """A cylinder with a nose, turned about its axis, in a picture that is turned as well."""
    yaw = np.radians(yaw_degrees)
    mesh_xy = mesh_in(Square(0.0, 0.0, 200.0, 0.0))
    mesh_xy[[FACE_SIDES[0], FACE_SIDES[1]]] = [[-60 * np.cos(yaw), 9], [60 * np.cos(yaw), 9]]
    mesh_xy[NOSE_TIP] = [1.69 * 60 * np.sin(yaw), 30]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert mesh_yaw_degrees(mesh_xy @ turn.T + 40) == pytest.approx(yaw_degrees)


def test_a_face_in_one_point_looks_ahead() -> None:
    assert mesh_yaw_degrees(np.ones((478, 2))) == 0.0


def test_five_landmarks_are_no_mesh() -> None:
    with pytest.raises(ValueError, match=r"mesh_xy has shape \[5, 2\], wanted \[478, 2\]"):
        mesh_square(np.zeros((5, 2)))


def test_a_face_in_one_point_has_no_square() -> None:
    with pytest.raises(ValueError, match="wanted more than 0"):
        mesh_square(np.zeros((478, 2)))
