"""What a face does, as ten coefficients of a 3D face model (3DDFA_V2, Guo et al. 2020)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from megafs_video.faces.libraries import onnx_session
from megafs_video.geometry.squares import Square
from megafs_video.geometry.warps import warp
from megafs_video.values import Face, FloatArray, UInt8Array, check_shape

CROP_SIZE = 120
# The network answers 12 numbers of the pose, 40 of the shape and 10 of the expression.
NUM_PARAMETERS, NUM_EXPRESSIONS = 62, 10


class FaceModel:
    """Expressions by 3DDFA_V2; made by ``build_face_model``."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def expression(self, pixels: UInt8Array, face: Face) -> FloatArray:
        """Coefficients [10] as the network answers them, each in its own standard deviations.

        That is the unit in which all ten weigh the same; they are not multiplied by the
        deviations of 3DDFA_V2's training set, so lengths are not those of the face model.
        """
        crop = warp(pixels, face_square(face).frame_to_crop(CROP_SIZE), CROP_SIZE)
        # Blue first: the network was trained on pictures as OpenCV reads them.
        levels = ((crop[..., ::-1].astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None]
        (found,) = self._session.run(None, {"input": levels})
        check_shape("parameters", found, (1, NUM_PARAMETERS))
        return np.asarray(found[0, -NUM_EXPRESSIONS:], dtype=np.float64)


def build_face_model(path: Path, *, num_threads: int = 1) -> FaceModel:
    """3DDFA_V2 from ``mb1_120x120.onnx``; WeightsError when the file is missing."""
    return FaceModel(onnx_session(path, num_threads))


def face_square(face: Face) -> Square:
    """The square that 3DDFA_V2 was trained to see around a detector's box.

    >>> face_square(Face(np.array([0.0, 0.0, 100.0, 100.0]), np.zeros((5, 2)), 1.0))
    Square(center_x=50.0, center_y=64.0, side=158.0, angle=0.0)
    """
    left, top, right, bottom = (float(edge) for edge in face.box_xyxy)
    size = (right - left + bottom - top) / 2
    return Square((left + right) / 2, (top + bottom) / 2 + 0.14 * size, 1.58 * size, 0.0)
