"""One face in numbers: who it is, how the head is held, what the face does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

from megafs_video.evaluation.expression import FaceModel, build_face_model
from megafs_video.evaluation.identity import Recogniser, load_recognisers
from megafs_video.evaluation.pose import angle_differences_degrees, turn_degrees
from megafs_video.faces.contract import Detector
from megafs_video.faces.framing import pad_by_half
from megafs_video.faces.mesh import Look, build_mesh
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.values import Face, FloatArray, UInt8Array
from megafs_video.weights.fetch import ensure

EXAMINER_FILES = ("scrfd", "face-mesh", "sface", "edgeface", "tddfa")
"""Model files that ``open_examiner`` reads."""


@dataclass(frozen=True, eq=False)
class Portrait:
    """A face that was looked at."""

    identities: Mapping[str, FloatArray]  # [D] of length 1, by recogniser's name
    head_to_camera: FloatArray  # [3, 3], a rotation
    coefficients: FloatArray  # [10], 3DDFA_V2's expression in its standard deviations
    blendshapes: FloatArray  # [52] in [0, 1], MediaPipe's


@dataclass(frozen=True)
class Change:
    """How differently two faces are held and move; identity has no part in it."""

    turn_degrees: float  # of the whole head, by MediaPipe
    yaw_degrees: float
    pitch_degrees: float
    roll_degrees: float
    coefficients: float  # distance of the 3D face model's expressions, standard deviations
    blendshapes: float  # distance of MediaPipe's 52 blendshapes

    def share_of(self, other: Change) -> Change:
        """Every figure as a share of another change's: 0 is no change, 1 is as much as that."""
        pairs = zip(asdict(self).values(), asdict(other).values(), strict=True)
        # Copies of one picture do not differ at all.
        return Change(*(part / max(whole, 1e-9) for part, whole in pairs))


class Looker(Protocol):
    """Reads pose and expression of a face that a detector found."""

    def look(self, pixels: UInt8Array, face: Face) -> Look | None:
        """The face with mesh, pose and blendshapes; None if it is not found."""
        ...


class Examiner:
    """Looks at the largest face of a picture; for one thread at a time."""

    def __init__(
        self,
        detector: Detector,
        mesh: Looker,
        recognisers: Sequence[Recogniser],
        face_model: FaceModel,
    ) -> None:
        self._detector = detector
        self._mesh = mesh
        self._recognisers = recognisers
        self._face_model = face_model

    def __call__(self, pixels: UInt8Array) -> Portrait | None:
        """The portrait of a picture [H, W, 3], or None where no face is found."""
        # MediaPipe may want more room around a face than an aligned picture has.
        for framed in (pixels, pad_by_half(pixels)[0]):
            for face in sorted(self._detector.detect(framed), key=lambda face: -face.area):
                look = self._mesh.look(framed, face)
                if look is not None:
                    return self._portrait(framed, look)
        return None

    def _portrait(self, pixels: UInt8Array, look: Look) -> Portrait:
        return Portrait(
            {one.name: one.embed(pixels, look.face) for one in self._recognisers},
            look.head_to_camera,
            self._face_model.expression(pixels, look.face),
            look.blendshapes,
        )


@contextmanager
def open_examiner(*, offline: bool = False) -> Iterator[Examiner]:
    """An examiner with SFace and EdgeFace as judges; errors as ``weights.fetch.ensure``."""
    paths = ensure(EXAMINER_FILES, offline=offline)
    with build_mesh(paths["face-mesh"], with_expression=True) as mesh:
        yield Examiner(
            build_scrfd(paths["scrfd"]),
            mesh,
            load_recognisers(offline=offline),
            build_face_model(paths["tddfa"]),
        )


def change_between(first: Portrait, second: Portrait) -> Change:
    """How far two faces differ in pose and expression."""
    yaw, pitch, roll = angle_differences_degrees(first.head_to_camera, second.head_to_camera)
    return Change(
        turn_degrees(first.head_to_camera, second.head_to_camera),
        float(yaw),
        float(pitch),
        float(roll),
        float(np.linalg.norm(first.coefficients - second.coefficients)),
        float(np.linalg.norm(first.blendshapes - second.blendshapes)),
    )


def mean_change(changes: Sequence[Change]) -> Change | None:
    """The mean of every figure; None of no changes."""
    if not changes:
        return None
    columns = zip(*(asdict(change).values() for change in changes), strict=True)
    return Change(*(float(np.mean(column)) for column in columns))
