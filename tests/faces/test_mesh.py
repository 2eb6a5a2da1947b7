"""What MediaPipe says of an upright crop is told in the frame it was cut from."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from megafs_video.faces.contract import five_points
from megafs_video.faces.mesh import Mesh
from megafs_video.geometry.similarity import transform_points
from megafs_video.geometry.squares import Square
from megafs_video.values import Face, FloatArray
from tests.faces.fakes import face_in

CROP_SIZE = 128
PIXELS = np.zeros((300, 300, 3), np.uint8)
TILT = np.radians(30)  # clockwise, as rows go down


class FakeNetwork:
    """Finds the given meshes (in pixels of the frame) in whatever crop it is shown."""

    def __init__(self, frame_to_crop: FloatArray, meshes_xy: list[FloatArray]) -> None:
        self._frame_to_crop = frame_to_crop
        self._meshes_xy = meshes_xy
        self.expressions = [np.full(52, 0.1 * index) for index in range(len(meshes_xy))]

    def detect(self, image: object) -> SimpleNamespace:
        found = SimpleNamespace(face_landmarks=[], face_blendshapes=[])
        for mesh_xy in self._meshes_xy:
            parts = (transform_points(mesh_xy, self._frame_to_crop) + 0.5) / CROP_SIZE
            found.face_landmarks.append([SimpleNamespace(x=x, y=y) for x, y in parts])
        for scores in self.expressions:
            found.face_blendshapes.append([SimpleNamespace(score=score) for score in scores])
        found.facial_transformation_matrixes = [np.eye(4) for _ in self.expressions]
        return found


def tilted_face() -> Face:
    """A face with five landmarks whose eyes slope downwards to the right."""
    face = face_in(Square(150.0, 140.0, 120.0, float(TILT)))
    return replace(face, landmarks_xy=five_points(face))


def network_of(meshes_xy: list[FloatArray]) -> FakeNetwork:
    """A network that is shown the upright crop of twice the box about ``tilted_face``."""
    box_xyxy = tilted_face().box_xyxy
    center_x, center_y = (box_xyxy[:2] + box_xyxy[2:]) / 2
    side = 2 * float(max(box_xyxy[2:] - box_xyxy[:2]))
    square = Square(float(center_x), float(center_y), side, float(TILT))
    return FakeNetwork(square.frame_to_crop(CROP_SIZE), meshes_xy)


def mesh_at(center_x: float) -> FloatArray:
    return face_in(Square(center_x, 140.0, 120.0, float(TILT))).landmarks_xy


def test_a_mesh_comes_back_in_pixels_of_the_frame() -> None:
    found = Mesh(network_of([mesh_at(150)]), CROP_SIZE).refine(PIXELS, tilted_face())
    assert found is not None
    np.testing.assert_allclose(found.landmarks_xy, mesh_at(150), atol=1e-9)


def test_a_head_that_is_upright_in_the_crop_is_tilted_in_the_frame() -> None:
    look = Mesh(network_of([mesh_at(150)]), CROP_SIZE).look(PIXELS, tilted_face())
    assert look is not None
    cos, sin = np.cos(TILT), np.sin(TILT)  # clockwise again: y goes up here
    wanted = [[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]
    np.testing.assert_allclose(look.head_to_camera, wanted, atol=1e-9)


def test_the_expression_is_that_of_the_detectors_face_and_not_of_a_neighbour() -> None:
    network = network_of([mesh_at(230), mesh_at(152)])
    look = Mesh(network, CROP_SIZE).look(PIXELS, tilted_face())
    assert look is not None
    np.testing.assert_array_equal(look.blendshapes, network.expressions[1])
    np.testing.assert_allclose(look.face.landmarks_xy, mesh_at(152), atol=1e-9)


@pytest.mark.parametrize("meshes_xy", [[], [mesh_at(260)]])
def test_no_face_and_a_face_elsewhere_are_none(meshes_xy: list[FloatArray]) -> None:
    mesh = Mesh(network_of(meshes_xy), CROP_SIZE)
    assert mesh.refine(PIXELS, tilted_face()) is None
    assert mesh.look(PIXELS, tilted_face()) is None


def test_a_mesh_without_expression_refuses_to_look() -> None:
    network = network_of([mesh_at(150)])
    network.expressions = []
    with pytest.raises(ValueError, match="build it with_expression=True"):
        Mesh(network, CROP_SIZE).look(PIXELS, tilted_face())
