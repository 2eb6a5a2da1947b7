"""What the pipeline asks of a detector, a landmarker and a recogniser, so fakes can stand in.

Pixels are uint8 [H, W, 3] RGB. An implementation is used by one thread at a time.
"""

from __future__ import annotations

from typing import Protocol

from megafs_video.values import Face, FloatArray, UInt8Array

NUM_MESH_POINTS = 478
"""MediaPipe's face mesh with both irises."""

# Left iris, right iris, tip of the nose, left and right corner of the mouth, as in the picture.
FIVE_OF_MESH = (468, 473, 1, 61, 291)


class Detector(Protocol):
    """Finds faces."""

    def detect(self, pixels: UInt8Array) -> list[Face]:
        """Faces with five landmarks each, the most certain first; none is a normal answer."""
        ...


class Landmarker(Protocol):
    """Finds the dense landmarks of a face that a detector found."""

    def refine(self, pixels: UInt8Array, face: Face) -> Face | None:
        """The face with its mesh of 478 points in pixels of the frame, or None if not found."""
        ...

    def close(self) -> None:
        """Release its threads; it must not be used afterwards. Closing twice is fine."""
        ...


class Recognizer(Protocol):
    """Tells people apart."""

    def embed(self, pixels: UInt8Array, face: Face) -> FloatArray:
        """A vector [512] of length 1; the same person's point the same way.

        The face has five landmarks or a mesh of 478.
        """
        ...


def five_points(face: Face) -> FloatArray:
    """Eyes, nose and corners of the mouth [5, 2] of a face with five landmarks or a mesh.

    ValueError for any other number of landmarks.
    """
    found = len(face.landmarks_xy)
    if found == 5:
        return face.landmarks_xy
    if found == NUM_MESH_POINTS:
        return face.landmarks_xy[list(FIVE_OF_MESH)]
    raise ValueError(f"a face has {found} landmarks, wanted 5 or {NUM_MESH_POINTS}")
