"""YuNet by OpenCV: the detector whose weights are under the MIT licence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from megafs_video.faces.framing import detect_framed
from megafs_video.faces.libraries import check_model_file, opencv, quiet
from megafs_video.values import Face, UInt8Array


class YuNet:
    """Faces by YuNet, at one size; made by ``build_yunet``."""

    def __init__(self, network: Any, detection_size: int) -> None:
        self._network = network
        self._detection_size = detection_size

    def detect(self, pixels: UInt8Array) -> list[Face]:
        """Faces with five landmarks in pixels of the frame, the most certain first."""
        return detect_framed(self._detect_shrunk, pixels, self._detection_size)

    def _detect_shrunk(self, pixels: UInt8Array, size: int) -> list[Face]:
        height, width = pixels.shape[:2]
        self._network.setInputSize((width, height))
        _, rows = self._network.detect(np.ascontiguousarray(pixels[:, :, ::-1]))
        if rows is None:
            return []
        # A row is x, y, width, height, five points (x, y) from left to right, and the score.
        return [
            Face(
                np.array([row[0], row[1], row[0] + row[2], row[1] + row[3]], dtype=np.float64),
                row[4:14].astype(np.float64).reshape(5, 2),
                float(row[14]),
            )
            for row in rows
            if row[2] > 0 and row[3] > 0
        ]


def build_yunet(
    path: Path, *, detection_size: int = 640, min_score: float = 0.6, num_threads: int = 1
) -> YuNet:
    """YuNet from its ONNX file (``face_detection_yunet_2023mar.onnx``).

    OpenCV has one number of threads for the whole process: ``num_threads`` becomes it.
    WeightsError when the file is missing, SystemLibraryError when a library of the system is.
    """
    check_model_file(path)
    cv2 = opencv()
    cv2.setNumThreads(num_threads)
    with quiet():  # OpenCV 5 warns of a default of its own
        network = cv2.FaceDetectorYN.create(
            model=str(path),
            config="",
            input_size=(detection_size, detection_size),
            score_threshold=min_score,
        )
    return YuNet(network, detection_size)
