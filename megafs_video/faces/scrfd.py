"""InsightFace's SCRFD: the default detector (its weights are for non-commercial use)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from megafs_video.faces.framing import detect_framed
from megafs_video.faces.libraries import (
    check_model_file,
    onnx_session_options,
    opencv,
    system_libraries,
)
from megafs_video.values import Face, UInt8Array

# The network halves its input five times.
_STRIDE = 32


class Scrfd:
    """Faces by SCRFD, at one size; made by ``build_scrfd``."""

    def __init__(self, network: Any, detection_size: int) -> None:
        self._network = network
        self._detection_size = detection_size

    def detect(self, pixels: UInt8Array) -> list[Face]:
        """Faces with five landmarks in pixels of the frame, the most certain first."""
        return detect_framed(self._detect_shrunk, pixels, self._detection_size)

    def _detect_shrunk(self, pixels: UInt8Array, size: int) -> list[Face]:
        # As wide and as high as the picture needs: a square would be half black.
        height, width = pixels.shape[:2]
        factor = size / max(height, width)
        input_size = (_up_to_stride(width * factor), _up_to_stride(height * factor))
        boxes, landmarks = self._network.detect(pixels[:, :, ::-1], input_size=input_size)
        return [
            Face(box[:4].astype(np.float64), five_xy.astype(np.float64), float(box[4]))
            for box, five_xy in zip(boxes, landmarks, strict=True)
            if box[0] < box[2] and box[1] < box[3]
        ]


def build_scrfd(
    path: Path, *, detection_size: int = 640, min_score: float = 0.5, num_threads: int = 1
) -> Scrfd:
    """SCRFD from its ONNX file (``scrfd_500m_bnkps.onnx``).

    ``detection_size`` is the longest side in pixels at which it looks; a face must be about 10
    pixels wide there. WeightsError when the file is missing, SystemLibraryError when a library
    of the system is.
    """
    check_model_file(path)
    if detection_size < 2 * _STRIDE:
        raise ValueError(f"detection_size is {detection_size}, wanted at least {2 * _STRIDE}")
    opencv().setNumThreads(num_threads)
    with system_libraries():
        from insightface.model_zoo import get_model
    network = get_model(
        str(path),
        providers=["CPUExecutionProvider"],
        sess_options=onnx_session_options(num_threads),
    )
    network.prepare(-1, det_thresh=min_score, input_size=(detection_size, detection_size))
    return Scrfd(network, detection_size)


def _up_to_stride(side: float) -> int:
    """The next multiple of the stride.

    >>> _up_to_stride(360.0), _up_to_stride(640.0)
    (384, 640)
    """
    return max(1, math.ceil(round(side, 3) / _STRIDE)) * _STRIDE
