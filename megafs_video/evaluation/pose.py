"""How two heads are turned against each other, in degrees."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from megafs_video.values import FloatArray, check_shape


def head_angles_degrees(head_to_camera: FloatArray) -> FloatArray:
    """Yaw, pitch and roll [3] of a head's rotation [3, 3] (x to the right, y up).

    The head is tilted first (roll), then nods (pitch), then turns (yaw): with this order a
    profile, at a yaw of 90 degrees, is still told apart from a nod.

    >>> head_angles_degrees(np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]))
    array([90.,  0.,  0.])
    """
    return np.asarray(_rotation(head_to_camera).as_euler("YXZ", degrees=True)) + 0.0


def angle_differences_degrees(first: FloatArray, second: FloatArray) -> FloatArray:
    """Differences of yaw, pitch and roll [3] of two rotations [3, 3], each from 0 to 180."""
    turned = head_angles_degrees(first) - head_angles_degrees(second)
    return np.abs((turned + 180) % 360 - 180)


def turn_degrees(first: FloatArray, second: FloatArray) -> float:
    """The one turn that carries one rotation [3, 3] to another, from 0 to 180."""
    return float(np.degrees((_rotation(first).inv() * _rotation(second)).magnitude()))


def turns_degrees(first: FloatArray, second: FloatArray) -> FloatArray:
    """``turn_degrees`` of each pair in [T, 3, 3], [T]; NaN where one of the two is not known."""
    check_shape("first", first, (None, 3, 3))
    check_shape("second", second, first.shape)
    turns = np.full(len(first), np.nan)
    for index in np.flatnonzero(np.isfinite(first + second).all(axis=(1, 2))):
        turns[index] = turn_degrees(first[index], second[index])
    return turns


def _rotation(matrix: FloatArray) -> Any:
    check_shape("head_to_camera", matrix, (3, 3))
    return Rotation.from_matrix(matrix)
