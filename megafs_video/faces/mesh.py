"""MediaPipe's face mesh: 478 points of a face, read off a crop around its box."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from megafs_video.faces.contract import FIVE_OF_MESH, five_points
from megafs_video.faces.libraries import check_model_file, opencv, quiet, system_libraries
from megafs_video.values import Face, FloatArray, UInt8Array, check_pixels

# MediaPipe looks for the face again inside the crop: it wants some room around it.
_CROP_TO_BOX = 2.0
# A neighbour may be in the crop too; the mesh nearest to the detector's points is taken.
_MAX_FACES = 2
# Mean distance between the mesh's five points and the detector's, as a part of the box's side.
_MAX_DISAGREEMENT = 0.35


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
        check_pixels("pixels", pixels)
        five_xy = five_points(face)
        frame_to_crop = _upright_crop(face.box_xyxy, five_xy, self._crop_size)
        meshes = self._find(_cut(pixels, frame_to_crop, self._crop_size), frame_to_crop)
        if not meshes:
            return None
        distances = [_distance(mesh_xy, five_xy) for mesh_xy in meshes]
        nearest = int(np.argmin(distances))
        side = math.sqrt(face.area)
        if distances[nearest] > _MAX_DISAGREEMENT * side:
            return None
        return replace(face, landmarks_xy=meshes[nearest])

    def _find(self, crop: UInt8Array, frame_to_crop: FloatArray) -> list[FloatArray]:
        """Meshes [478, 2] in pixels of the frame."""
        import mediapipe

        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=crop)
        found = self._network.detect(image).face_landmarks
        crop_to_frame = opencv().invertAffineTransform(frame_to_crop)
        meshes = []
        for points in found:
            # MediaPipe counts from the edge of the first pixel, we from its centre.
            crop_xy = np.array([[p.x, p.y] for p in points]) * self._crop_size - 0.5
            meshes.append(crop_xy @ crop_to_frame[:, :2].T + crop_to_frame[:, 2])
        return meshes

    def close(self) -> None:
        """Stop MediaPipe's threads."""
        if self._network is not None:
            self._network.close()
            self._network = None

    def __enter__(self) -> Mesh:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def build_mesh(path: Path, *, crop_size: int = 384, min_score: float = 0.3) -> Mesh:
    """MediaPipe's FaceLandmarker from ``face_landmarker.task``.

    The detector has vouched for the face already, so ``min_score`` is low. MediaPipe's Tasks
    let nobody choose their threads: one face keeps about one core busy. WeightsError when the
    file is missing, SystemLibraryError when a library of the system is.
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


def _distance(mesh_xy: FloatArray, five_xy: FloatArray) -> float:
    """Mean distance in pixels between the five points of both."""
    return float(np.hypot(*(mesh_xy[list(FIVE_OF_MESH)] - five_xy).T).mean())
