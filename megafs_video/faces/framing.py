"""How a picture is put before a detector: not too large, and never filled by a face."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from megafs_video.faces.libraries import opencv
from megafs_video.values import Face, UInt8Array, check_pixels

DetectShrunk = Callable[[UInt8Array, int], list[Face]]
"""Detects in a picture whose sides are at most so many pixels."""

_GREY = 127
# Side of a face in the padded picture that counts, as a part of the picture's shorter side.
_LARGE = 0.3


def detect_framed(detect: DetectShrunk, pixels: UInt8Array, size: int) -> list[Face]:
    """Faces in pixels of ``pixels``, the most certain first.

    The picture is averaged down to ``size``. Detectors miss a face that fills the picture, and
    may find its small neighbours all the same; so the picture is looked at a second time inside
    a grey border of half its size. Only large faces count there, so half the resolution does.
    """
    check_pixels("pixels", pixels)
    faces = _detect_shrunk(detect, pixels, size)
    padded, (left, top) = pad_by_half(shrink(pixels, size // 4)[0])
    factor = max(pixels.shape[:2]) / (max(padded.shape[:2]) / 2)
    large_side = _LARGE * min(pixels.shape[:2])
    for face in detect(padded, size // 2):
        large = scaled(moved(face, -left, -top), factor)
        if math.sqrt(large.area) >= large_side and not _overlaps(large, faces):
            faces.append(large)
    return sorted(faces, key=lambda face: -face.score)


def shrink(pixels: UInt8Array, size: int) -> tuple[UInt8Array, float]:
    """The picture averaged down until no side is longer than ``size``, and the factor used.

    A picture that fits stays as it is, with a factor of 1.
    """
    height, width = pixels.shape[:2]
    factor = size / max(height, width)
    if factor >= 1:
        return pixels, 1.0
    cv2 = opencv()
    shrunk_size = (max(1, round(width * factor)), max(1, round(height * factor)))
    shrunk = cv2.resize(pixels, shrunk_size, interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, dtype=np.uint8), factor


def pad_by_half(pixels: UInt8Array) -> tuple[UInt8Array, tuple[int, int]]:
    """The picture in a grey border of half its size, and the border's (x, y) in pixels.

    >>> pad_by_half(np.zeros((4, 6, 3), dtype=np.uint8))[0].shape
    (8, 12, 3)
    """
    height, width = pixels.shape[:2]
    top, left = (height + 1) // 2, (width + 1) // 2
    padded = np.full((height + 2 * top, width + 2 * left, 3), _GREY, dtype=np.uint8)
    padded[top : top + height, left : left + width] = pixels
    return padded, (left, top)


def moved(face: Face, right: float, down: float) -> Face:
    """The face shifted by so many pixels."""
    return replace(
        face,
        box_xyxy=face.box_xyxy + np.array([right, down, right, down]),
        landmarks_xy=face.landmarks_xy + np.array([right, down]),
    )


def scaled(face: Face, factor: float) -> Face:
    """The face in a picture so many times larger: edges meet edges.

    Pixel centres are whole numbers, so the edge of the first pixel lies at -0.5.
    """
    shift = (factor - 1) / 2
    return replace(
        face,
        box_xyxy=face.box_xyxy * factor + shift,
        landmarks_xy=face.landmarks_xy * factor + shift,
    )


def _detect_shrunk(detect: DetectShrunk, pixels: UInt8Array, size: int) -> list[Face]:
    shrunk, factor = shrink(pixels, size)
    return [scaled(face, 1 / factor) for face in detect(shrunk, size)]


def _overlaps(face: Face, others: list[Face]) -> bool:
    """Whether most of the smaller of two boxes lies in the other, for any of the others."""
    for other in others:
        top_left = np.maximum(face.box_xyxy[:2], other.box_xyxy[:2])
        bottom_right = np.minimum(face.box_xyxy[2:], other.box_xyxy[2:])
        shared = float(np.maximum(bottom_right - top_left, 0).prod())
        if shared > 0.5 * min(face.area, other.area):
            return True
    return False
