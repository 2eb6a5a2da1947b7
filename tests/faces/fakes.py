"""Made faces: a mesh that fits an FFHQ square, and fakes behind the contracts of faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial.transform import Rotation

from megafs_video.faces.mesh import NUM_BLENDSHAPES, Look
from megafs_video.geometry.boxes import around
from megafs_video.geometry.similarity import invert, transform_points
from megafs_video.geometry.squares import Square
from megafs_video.geometry.templates import (
    FACE_OVAL,
    LEFT_EYE,
    MOUTH_CORNERS,
    RIGHT_EYE,
    mesh_square,
)
from megafs_video.values import Face, FloatArray, UInt8Array

NOSE_TIP, IRISES = 1, (468, 473)


def mesh_in(square: Square) -> FloatArray:
    """A mesh [478, 2] whose FFHQ square is (within a pixel) the given one."""
    mesh_xy = np.full((478, 2), [0.5, 0.55])  # fractions of the square
    turns = np.linspace(-np.pi / 2, 1.5 * np.pi, len(FACE_OVAL), endpoint=False)
    mesh_xy[list(FACE_OVAL)] = np.stack(
        [0.5 + 0.26 * np.cos(turns), 0.56 + 0.32 * np.sin(turns)], 1
    )
    around_eye = np.stack([np.cos(np.arange(6)), np.sin(np.arange(6))], 1)
    around_eye -= around_eye.mean(axis=0)
    mesh_xy[list(LEFT_EYE)] = [0.376, 0.475] + 0.02 * around_eye
    mesh_xy[list(RIGHT_EYE)] = [0.624, 0.475] + 0.02 * around_eye
    mesh_xy[list(IRISES)] = [[0.376, 0.475], [0.624, 0.475]]
    mesh_xy[list(MOUTH_CORNERS)] = [[0.41, 0.725], [0.59, 0.725]]
    mesh_xy[NOSE_TIP] = [0.5, 0.61]
    return transform_points(mesh_xy * 256 - 0.5, invert(square.frame_to_crop(256)))


def face_in(square: Square, score: float = 0.9) -> Face:
    """A face with its mesh and the box around it."""
    mesh_xy = mesh_in(square)
    return Face(around(mesh_xy), mesh_xy, score)


@dataclass
class FakeDetector:
    """Finds the given faces in every picture that is large enough."""

    faces: Sequence[Face]
    min_width: int = 0
    widths_seen: list[int] = field(default_factory=list)

    def detect(self, pixels: UInt8Array) -> list[Face]:
        self.widths_seen.append(pixels.shape[1])
        return list(self.faces) if pixels.shape[1] >= self.min_width else []


@dataclass
class FakeLandmarker:
    """Believes the landmarks it is given, but finds no mesh for faces of a low score."""

    min_score: float = 0.5
    is_closed: bool = False

    def refine(self, pixels: UInt8Array, face: Face) -> Face | None:
        return replace(face) if face.score >= self.min_score else None

    def look(self, pixels: UInt8Array, face: Face) -> Look | None:
        """The head is tilted as the mesh's square is, and nothing moves in the face."""
        refined = self.refine(pixels, face)
        if refined is None:
            return None
        head = Rotation.from_euler("Z", -mesh_square(refined.landmarks_xy).angle).as_matrix()
        return Look(refined, head, np.zeros(NUM_BLENDSHAPES))

    def close(self) -> None:
        self.is_closed = True


@dataclass
class FakeRecognizer:
    """Takes the colour in the middle of a face for its identity (of 3 numbers)."""

    calls: int = 0

    def embed(self, pixels: UInt8Array, face: Face) -> FloatArray:
        self.calls += 1
        x, y = ((face.box_xyxy[:2] + face.box_xyxy[2:]) / 2).astype(int)
        colour = pixels[y, x].astype(np.float64)
        return np.asarray(colour / max(1.0, float(np.linalg.norm(colour))))
