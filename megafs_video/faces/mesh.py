"""MediaPipe's face mesh: 478 points of a face, read off a crop around its box."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from megafs_video.faces.contract import FIVE_OF_MESH, five_points
from megafs_video.faces.libraries import check_model_file, opencv, quiet, system_libraries
from megafs_video.values import Face, FloatArray, UInt8Array, check_pixels, check_shape

# MediaPipe looks for the face again inside the crop: it wants some room around it.
_CROP_TO_BOX = 2.0
# A neighbour may be in the crop too; the mesh nearest to the detector's points is taken.
_MAX_FACES = 2
# Mean distance between the mesh's five points and the detector's, as a part of the box's side.
_MAX_DISAGREEMENT = 0.35


NUM_BLENDSHAPES = 52


@dataclass(frozen=True, eq=False)
class Look:
    """A face with its mesh, how the head is held, and what the face does."""

    face: Face  # with 478 landmarks
    head_to_camera: FloatArray  # [3, 3], a rotation; x is to the right, y up, z to the camera
    blendshapes: FloatArray  # [52] in [0, 1], in MediaPipe's order

    def __post_init__(self) -> None:
        check_shape("Look.head_to_camera", self.head_to_camera, (3, 3))
        check_shape("Look.blendshapes", self.blendshapes, (NUM_BLENDSHAPES,))


class Mesh:
    """Dense landmarks by MediaPipe; made by ``build_mesh``.

    It holds a thread: call ``close``, or use it in a ``with`` block.
    """

    def __init__(self, network: Any, crop_size: int) -> None:
        self._network = network
        self._crop_size = crop_size

    def refine(self, pixels: UInt8Array, face: Face) -> Face | None:
        """The face with its mesh [478, 2] in pixels of the frame; box and score stay.

        None if MediaPipe finds no face there, or only one that is elsewhere than the detector's
        five points.
        """
        frame_to_crop = self._frame_to_crop(pixels, face)
        nearest = self._nearest(self._detect(pixels, frame_to_crop), frame_to_crop, face)
        return None if nearest is None else nearest[1]

    def look(self, pixels: UInt8Array, face: Face) -> Look | None:
        """The face as ``refine`` finds it, with its pose and expression; None as there.

        ValueError unless made with ``build_mesh(..., with_expression=True)``.
        """
        frame_to_crop = self._frame_to_crop(pixels, face)
        found = self._detect(pixels, frame_to_crop)
        nearest = self._nearest(found, frame_to_crop, face)
        if nearest is None:
            return None
        index, refined = nearest
        if not found.face_blendshapes:
            raise ValueError("this Mesh reads no expression; build it with_expression=True")
        head_to_crop = np.asarray(found.facial_transformation_matrixes[index])[:3, :3]
        blendshapes = np.array([shape.score for shape in found.face_blendshapes[index]])
        return Look(refined, _unturned(head_to_crop, frame_to_crop), blendshapes)

    def _frame_to_crop(self, pixels: UInt8Array, face: Face) -> FloatArray:
        check_pixels("pixels", pixels)
        return _upright_crop(face.box_xyxy, five_points(face), self._crop_size)

    def _detect(self, pixels: UInt8Array, frame_to_crop: FloatArray) -> Any:
        """What MediaPipe says of the crop."""
        import mediapipe

        crop = _cut(pixels, frame_to_crop, self._crop_size)
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=crop)
        return self._network.detect(image)

    def _nearest(
        self, found: Any, frame_to_crop: FloatArray, face: Face
    ) -> tuple[int, Face] | None:
        """Which of MediaPipe's faces is the detector's, and that face with its mesh."""
        five_xy = five_points(face)
        crop_to_frame = opencv().invertAffineTransform(frame_to_crop)
        meshes = []
        for points in found.face_landmarks:
            # MediaPipe counts from the edge of the first pixel, we from its centre.
            crop_xy = np.array([[p.x, p.y] for p in points]) * self._crop_size - 0.5
            meshes.append(crop_xy @ crop_to_frame[:, :2].T + crop_to_frame[:, 2])
        if not meshes:
            return None
        distances = [_distance(mesh_xy, five_xy) for mesh_xy in meshes]
        nearest = int(np.argmin(distances))
        if distances[nearest] > _MAX_DISAGREEMENT * math.sqrt(face.area):
            return None
        return nearest, replace(face, landmarks_xy=meshes[nearest])

    def close(self) -> None:
        """Stop MediaPipe's threads."""
        if self._network is not None:
            self._network.close()
            self._network = None

    def __enter__(self) -> Mesh:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def build_mesh(
    path: Path, *, crop_size: int = 384, min_score: float = 0.3, with_expression: bool = False
) -> Mesh:
    """MediaPipe's FaceLandmarker from ``face_landmarker.task``.

    The detector has vouched for the face already, so ``min_score`` is low. ``with_expression``
    makes ``look`` work, at the price of one more network a face. MediaPipe's Tasks let nobody
    choose their threads: one face keeps about one core busy. WeightsError when the file is
    missing, SystemLibraryError when a library of the system is.
    """
    check_model_file(path)
    opencv()
    with quiet(), system_libraries():
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(path)),
            num_faces=_MAX_FACES,
            min_face_detection_confidence=min_score,
            min_face_presence_confidence=min_score,
            output_face_blendshapes=with_expression,
            output_facial_transformation_matrixes=with_expression,
        )
        network = vision.FaceLandmarker.create_from_options(options)
        # The first picture makes it load the rest, and say so.
        nothing = np.zeros((crop_size, crop_size, 3), dtype=np.uint8)
        network.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=nothing))
    return Mesh(network, crop_size)


def _upright_crop(box_xyxy: FloatArray, five_xy: FloatArray, crop_size: int) -> FloatArray:
    """Frame to a square crop about the box, turned so that the eyes are level: [2, 3]."""
    side = _CROP_TO_BOX * float(max(box_xyxy[2:] - box_xyxy[:2]))
    eye_to_eye = five_xy[1] - five_xy[0]
    angle = math.atan2(eye_to_eye[1], eye_to_eye[0])
    scale = crop_size / side
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    center_xy = (box_xyxy[:2] + box_xyxy[2:]) / 2
    return np.column_stack([turn, (crop_size - 1) / 2 - turn @ center_xy])


def _cut(pixels: UInt8Array, frame_to_crop: FloatArray, crop_size: int) -> UInt8Array:
    cv2 = opencv()
    # Mirrored borders would show MediaPipe a second face.
    crop = cv2.warpAffine(
        pixels, frame_to_crop, (crop_size, crop_size), borderMode=cv2.BORDER_REPLICATE
    )
    return np.ascontiguousarray(crop, dtype=np.uint8)


def _unturned(head_to_crop: FloatArray, frame_to_crop: FloatArray) -> FloatArray:
    """The head's rotation [3, 3] before the crop was turned to make the eyes level."""
    turn = frame_to_crop[:, :2] / math.hypot(*frame_to_crop[0, :2])
    crop_to_frame = np.eye(3)
    # Rows go down and y goes up: the turn back in the picture is its inverse seen from there.
    crop_to_frame[:2, :2] = turn
    return np.asarray(crop_to_frame @ head_to_crop, dtype=np.float64)


def _distance(mesh_xy: FloatArray, five_xy: FloatArray) -> float:
    """Mean distance in pixels between the five points of both."""
    return float(np.hypot(*(mesh_xy[list(FIVE_OF_MESH)] - five_xy).T).mean())
