"""Turn pictures upright by the display matrix that phones write instead of turning the pixels.

The matrix is FFmpeg's 3x3 in 16.16 fixed point, row by row; its upper left 2x2 part
(a, b; c, d) sends a picture's x axis to (a, b) and its y axis to (c, d), y pointing down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import av
import numpy as np

from megafs_video.values import UInt8Array

IDENTITY = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


def side_data_of(frame: av.VideoFrame) -> Mapping[str, Any]:
    """What a decoded frame carries beside its samples, by FFmpeg's name.

    Empty if there is a kind among it that PyAV has no name for (EXIF in photographs): it then
    refuses to show any.
    """
    try:
        return cast(Mapping[str, Any], frame.side_data)
    except ValueError:
        return {}


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...]:
    """The nine numbers that a decoded frame carries, or those of its angle without mirroring."""
    side_data = side_data_of(frame)
    if "DISPLAYMATRIX" in side_data:
        return tuple(np.frombuffer(bytes(side_data["DISPLAYMATRIX"]), "<i4").tolist())
    return _turn(frame.rotation)


def _turn(degrees: int) -> tuple[int, ...]:
    """A turn counterclockwise, to the nearest quarter.

    >>> _turn(0) == IDENTITY, clockwise_degrees(_turn(-90))
    (True, 90)
    """
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[round(degrees / 90) % 4]
    return (cos << 16, -sin << 16, 0, sin << 16, cos << 16, 0, 0, 0, 1 << 30)


# What EXIF says of a photograph (tag 0x0112): where the x axis and the y axis go.
_EXIF_AXES = {
    **{1: (1, 0, 0, 1), 2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1)},
    **{5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0)},
}


def exif_matrix(orientation: int) -> tuple[int, ...]:
    """The matrix of an EXIF orientation; what EXIF does not know is taken for upright.

    >>> exif_matrix(1) == exif_matrix(99) == IDENTITY, clockwise_degrees(exif_matrix(6))
    (True, 90)
    """
    a, b, c, d = (part << 16 for part in _EXIF_AXES.get(orientation, _EXIF_AXES[1]))
    return (a, b, 0, c, d, 0, 0, 0, 1 << 30)


def is_transposed(matrix: Sequence[int]) -> bool:
    """Whether width and height change places.

    >>> is_transposed(IDENTITY)
    False
    """
    return abs(matrix[1]) > abs(matrix[0])


def is_mirrored(matrix: Sequence[int]) -> bool:
    """Whether the picture is shown as in a mirror (after its rotation)."""
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    return a * d - b * c < 0


def clockwise_degrees(matrix: Sequence[int]) -> int:
    """By how much players turn the picture clockwise: 0, 90, 180 or 270.

    Other angles are taken to the nearest axis, as phones never write them.

    >>> clockwise_degrees((0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30))
    90
    """
    if is_transposed(matrix):
        return 90 if matrix[1] > 0 else 270
    return 0 if matrix[0] >= 0 else 180


def turn_upright(pixels: UInt8Array, matrix: Sequence[int]) -> UInt8Array:
    """The picture as players show it: uint8 [H, W, 3]; the very same if it is upright already.

    >>> turn_upright(np.zeros((4, 6, 3), np.uint8), IDENTITY).shape
    (4, 6, 3)
    """
    if tuple(matrix) == IDENTITY:
        return pixels  # in rows as long as the decoder made them: a copy takes 2 ms at 1080p
    if is_transposed(matrix):
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(_flip(pixels, matrix))


def turn_back(pixels: UInt8Array, matrix: Sequence[int]) -> UInt8Array:
    """The inverse of ``turn_upright``: an upright picture as the stream stores it.

    >>> phone = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    >>> stored = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    >>> np.array_equal(turn_back(turn_upright(stored, phone), phone), stored)
    True
    """
    if tuple(matrix) == IDENTITY:
        return pixels
    pixels = _flip(pixels, matrix)
    return np.ascontiguousarray(pixels.swapaxes(0, 1) if is_transposed(matrix) else pixels)


def place_back(
    left: int, top: int, shape: Sequence[int], size: Sequence[int], matrix: Sequence[int]
) -> tuple[int, int]:
    """Left and top, in the picture as it is stored, of a part of an upright picture.

    The part is [h, w, ...], the upright picture [H, W, ...].

    >>> phone = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    >>> stored = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    >>> part = turn_upright(stored, phone)[1:3, 2:3]
    >>> place_back(2, 1, part.shape, (6, 4), phone)
    (1, 1)
    """
    if tuple(matrix) == IDENTITY:
        return left, top
    x_runs_back, y_runs_back = _runs_back(matrix)
    if x_runs_back:
        left = size[1] - left - shape[1]
    if y_runs_back:
        top = size[0] - top - shape[0]
    return (top, left) if is_transposed(matrix) else (left, top)


def _flip(pixels: UInt8Array, matrix: Sequence[int]) -> UInt8Array:
    """Upright axes, run back where the matrix says so."""
    x_runs_back, y_runs_back = _runs_back(matrix)
    return pixels[:: -1 if y_runs_back else 1, :: -1 if x_runs_back else 1]


def _runs_back(matrix: Sequence[int]) -> tuple[bool, bool]:
    """Whether the axes x and y of an upright picture run against those of the stored one."""
    if is_transposed(matrix):
        return matrix[3] < 0, matrix[1] < 0
    return matrix[0] < 0, matrix[4] < 0
