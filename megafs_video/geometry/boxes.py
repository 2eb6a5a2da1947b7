"""Axis-aligned boxes (left, top, right, bottom) in pixels."""

from __future__ import annotations

import numpy as np

from megafs_video.values import FloatArray, check_shape


def area(boxes_xyxy: FloatArray) -> FloatArray:
    """Area of each box in square pixels, [N]; an inside-out box has none.

    >>> area(np.array([[0.0, 0.0, 4.0, 2.0], [3.0, 0.0, 1.0, 2.0]]))
    array([8., 0.])
    """
    check_shape("boxes_xyxy", boxes_xyxy, (None, 4))
    sides = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0.0)  # [N, 2]
    return np.asarray(sides.prod(axis=1))


def iou(first_xyxy: FloatArray, second_xyxy: FloatArray) -> FloatArray:
    """Intersection over union of each box of the first [N, 4] and the second [M, 4]: [N, M].

    >>> iou(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 3.0, 2.0]])).round(3)
    array([[0.333]])
    """
    check_shape("first_xyxy", first_xyxy, (None, 4))
    check_shape("second_xyxy", second_xyxy, (None, 4))
    top_left = np.maximum(first_xyxy[:, None, :2], second_xyxy[None, :, :2])
    bottom_right = np.minimum(first_xyxy[:, None, 2:], second_xyxy[None, :, 2:])
    shared = np.maximum(bottom_right - top_left, 0.0).prod(axis=2)  # [N, M]
    union = area(first_xyxy)[:, None] + area(second_xyxy)[None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def expand(box_xyxy: FloatArray, factor: float) -> FloatArray:
    """The box with both sides ``factor`` times as long, about the same centre.

    >>> expand(np.array([0.0, 0.0, 2.0, 4.0]), 2.0)
    array([-1., -2.,  3.,  6.])
    """
    check_shape("box_xyxy", box_xyxy, (4,))
    center_xy = (box_xyxy[:2] + box_xyxy[2:]) / 2
    half_sides = (box_xyxy[2:] - box_xyxy[:2]) / 2 * factor
    return np.concatenate([center_xy - half_sides, center_xy + half_sides])


def clip(box_xyxy: FloatArray, height: int, width: int) -> FloatArray:
    """The part of the box inside a picture; empty (zero sides) when it lies outside.

    >>> clip(np.array([-3.0, 1.0, 5.0, 99.0]), height=10, width=4)
    array([ 0.,  1.,  4., 10.])
    """
    check_shape("box_xyxy", box_xyxy, (4,))
    return np.clip(box_xyxy, 0.0, np.array([width, height, width, height], dtype=np.float64))


def around(points_xy: FloatArray) -> FloatArray:
    """The smallest box that holds all points.

    >>> around(np.array([[1.0, 5.0], [3.0, 2.0]]))
    array([1., 2., 3., 5.])
    """
    check_shape("points_xy", points_xy, (None, 2))
    if len(points_xy) == 0:
        raise ValueError("no box goes around no points")
    return np.concatenate([points_xy.min(axis=0), points_xy.max(axis=0)])
