"""Detect: every face of a frame, with its dense landmarks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from megafs_video.faces.contract import Detector, Landmarker
from megafs_video.values import Face, Frame, FrameFaces, UInt8Array


@dataclass(frozen=True)
class Detect:
    """Stage that finds the faces of each frame.

    A face whose mesh is not found is left out: without a mesh it cannot be aligned.
    """

    detector: Detector
    landmarker: Landmarker

    @property
    def lookahead(self) -> int:
        """Each frame stands alone."""
        return 0

    def __call__(self, items: Iterator[Frame]) -> Iterator[FrameFaces[Face]]:
        for frame in items:
            yield FrameFaces(frame, find_faces(frame.pixels, self.detector, self.landmarker))


def find_faces(pixels: UInt8Array, detector: Detector, landmarker: Landmarker) -> tuple[Face, ...]:
    """Faces with their meshes in pixels of the picture, the most certain first."""
    refined = (landmarker.refine(pixels, face) for face in detector.detect(pixels))
    return tuple(face for face in refined if face is not None)
