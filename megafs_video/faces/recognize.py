"""ArcFace MobileFaceNet: who a face is, as a vector (weights for non-commercial use)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from megafs_video.faces.contract import five_points
from megafs_video.faces.libraries import check_model_file, onnx_session, opencv
from megafs_video.values import Face, FloatArray, UInt8Array, check_pixels, check_shape

CROP_SIZE = 112

ARCFACE_XY = np.array(
    [
        [38.2946, 51.6963],  # left eye
        [73.5318, 51.5014],  # right eye
        [56.0252, 71.7366],  # tip of the nose
        [41.5493, 92.3655],  # left corner of the mouth
        [70.7299, 92.2041],  # right corner of the mouth
    ]
)
"""Where ArcFace networks were trained to see the five points, in a crop of 112 pixels."""


class ArcFace:
    """Identity vectors by an ArcFace network; made by ``build_arcface``."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._input_name = session.get_inputs()[0].name

    def embed(self, pixels: UInt8Array, face: Face) -> FloatArray:
        """The identity [512], of length 1."""
        check_pixels("pixels", pixels)
        cv2 = opencv()
        crop = cv2.warpAffine(pixels, _frame_to_crop(five_points(face)), (CROP_SIZE, CROP_SIZE))
        levels = ((crop.astype(np.float32) - 127.5) / 127.5).transpose(2, 0, 1)[None]
        (found,) = self._session.run(None, {self._input_name: levels})
        identity = np.asarray(found[0], dtype=np.float64)
        check_shape("identity", identity, (512,))
        return identity / np.linalg.norm(identity)


def build_arcface(path: Path, *, num_threads: int = 1) -> ArcFace:
    """ArcFace from its ONNX file (``w600k_mbf.onnx``).

    WeightsError when the file is missing, SystemLibraryError when a library of the system is.
    """
    check_model_file(path)
    opencv().setNumThreads(num_threads)
    return ArcFace(onnx_session(path, num_threads))


def _frame_to_crop(five_xy: FloatArray) -> FloatArray:
    """The similarity [2, 3] that brings the five points nearest to the template.

    Unknowns are (a, b, x, y) of x' = a x - b y + x0 and y' = b x + a y + y0.
    """
    ones, zeros = np.ones(5), np.zeros(5)
    x, y = five_xy[:, 0], five_xy[:, 1]
    rows = np.concatenate(
        [np.stack([x, -y, ones, zeros], axis=1), np.stack([y, x, zeros, ones], axis=1)]
    )  # [10, 4]
    wanted = np.concatenate([ARCFACE_XY[:, 0], ARCFACE_XY[:, 1]])  # [10]
    (a, b, shift_x, shift_y), *_ = np.linalg.lstsq(rows, wanted, rcond=None)
    return np.array([[a, -b, shift_x], [b, a, shift_y]])
