"""Soft masks in crop space, made of distances instead of drawn pixels so that they do not jump."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from megafs_video.values import FloatArray, check_shape

Mask = npt.NDArray[np.float32]

# Distances are straight between corners, so half the resolution loses nothing but the corners.
_COARSENESS = 2


def outline_mask(outline_xy: FloatArray, size: int, feather_pixels: float) -> Mask:
    """A mask [size, size] in [0, 1] of a convex outline, feathered inwards.

    1 where the outline is at least ``feather_pixels`` away, 0 on it, outside it and at the
    border of the crop. ValueError: fewer than three points, or a feather that is not positive.
    """
    import cv2

    check_shape("outline_xy", outline_xy, (None, 2))
    if len(outline_xy) < 3:
        raise ValueError(f"an outline needs at least 3 points, got {len(outline_xy)}")
    if not feather_pixels > 0:
        raise ValueError(f"feather_pixels is {feather_pixels}, wanted more than 0")
    coarse_size = -(-size // _COARSENESS)
    depth = _depth_inside(outline_xy, coarse_size)  # [coarse, coarse]
    full_size = coarse_size * _COARSENESS
    depth = cv2.resize(depth, (full_size, full_size), interpolation=cv2.INTER_LINEAR)
    edge = _border_depth(size)
    return smooth_step(np.minimum(depth[:size, :size], edge) / np.float32(feather_pixels))


def smooth_step(ramp: npt.NDArray[np.float32]) -> Mask:
    """0 up to 0, 1 from 1 on, and without a corner between (3r² - 2r³).

    >>> smooth_step(np.array([-1.0, 0.5, 2.0], dtype=np.float32))
    array([0. , 0.5, 1. ], dtype=float32)
    """
    held = np.clip(ramp, np.float32(0), np.float32(1))
    return np.asarray(held * held * (np.float32(3) - np.float32(2) * held))


def convex_outline(points_xy: FloatArray) -> FloatArray:
    """The corners [K, 2] of the convex hull of points [N, 2], in order around it.

    ValueError when the points lie on one line.

    >>> convex_outline(np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 0.5], [2.0, 2.0]]))
    array([[0., 0.],
           [2., 0.],
           [2., 2.]])
    """
    import cv2

    check_shape("points_xy", points_xy, (None, 2))
    corners = cv2.convexHull(points_xy.astype(np.float32), returnPoints=False)
    if len(corners) < 3:
        raise ValueError(f"{len(points_xy)} points on one line have no outline")
    return np.asarray(points_xy[corners[:, 0]], np.float64)


def _depth_inside(outline_xy: FloatArray, coarse_size: int) -> Mask:
    """Distance in pixels to the nearest edge of the outline, negative outside, on the coarse grid.

    Inside a convex outline that is the smallest of the distances to its edges' lines.
    """
    starts = outline_xy.astype(np.float32)
    edges = np.roll(starts, -1, axis=0) - starts  # [K, 2]
    lengths = np.hypot(edges[:, 0], edges[:, 1])
    starts, edges, lengths = starts[lengths > 0], edges[lengths > 0], lengths[lengths > 0]
    inward = np.stack([-edges[:, 1], edges[:, 0]], axis=1) / lengths[:, None]  # [K, 2]
    if _signed_area(starts) < 0:
        inward = -inward
    offsets = (inward * starts).sum(axis=1)  # [K]
    # Only where the outline is, and a pixel or two around it: further out all is outside.
    places = starts / _COARSENESS
    begin_x, begin_y = np.clip(np.floor(places.min(axis=0)).astype(int) - 2, 0, coarse_size)
    end_x, end_y = np.clip(np.ceil(places.max(axis=0)).astype(int) + 3, 0, coarse_size)
    # Centres of the coarse pixels, in pixels of the crop.
    steps = np.arange(coarse_size, dtype=np.float32) * _COARSENESS + (_COARSENESS - 1) / 2
    across = inward[:, 0, None] * steps[begin_x:end_x]  # [K, w]
    down = inward[:, 1, None] * steps[begin_y:end_y] - offsets[:, None]  # [K, h]
    depth = np.full((end_y - begin_y, end_x - begin_x), np.inf, dtype=np.float32)
    to_edge = np.empty_like(depth)
    for row_part, column_part in zip(down, across, strict=True):
        np.add(row_part[:, None], column_part, out=to_edge)
        np.minimum(depth, to_edge, out=depth)
    whole = np.full((coarse_size, coarse_size), -1.0, dtype=np.float32)
    whole[begin_y:end_y, begin_x:end_x] = depth
    return whole


def _signed_area(corners_xy: FloatArray) -> float:
    """Positive when the corners run clockwise in the picture (y goes down)."""
    following = np.roll(corners_xy, -1, axis=0)
    return float((corners_xy[:, 0] * following[:, 1] - following[:, 0] * corners_xy[:, 1]).sum())


@lru_cache(maxsize=4)
def _border_depth(size: int) -> Mask:
    """Distance in pixels to the outermost pixels of a square picture, which have 0."""
    steps = np.minimum(np.arange(size), np.arange(size)[::-1]).astype(np.float32)
    return np.minimum(steps[:, None], steps[None, :])
