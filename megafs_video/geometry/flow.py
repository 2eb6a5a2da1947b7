"""Where the parts of a picture went in the next one: dense flow, and the motion of a whole face."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from megafs_video.geometry.similarity import compose, fit_similarity, invert, transform_points
from megafs_video.geometry.squares import Square
from megafs_video.geometry.warps import warp
from megafs_video.values import FloatArray, UInt8Array

# A pixel is occluded if the flows there and back miss each other by more than this (Sundaram,
# Brox and Keutzer 2010).
_SHARE_OF_FLOW, _MARGIN_PIXELS = 0.01, 0.5
# The side at which the motion of a face is looked at, pixels of the crop.
_MOTION_SIZE = 192
# The part of an FFHQ square in which skin moves with the skull, from brows to mouth, and how many
# points of it are followed each way.
_SKULL_LEFT, _SKULL_TOP, _SKULL_RIGHT, _SKULL_BOTTOM, _NUM_POINTS = 0.28, 0.35, 0.72, 0.8, 24
# Lips, lids and what passes in front move otherwise: this part of the points fits best.
_KEPT_PART, _NUM_FITS = 0.7, 3


def flow(start: UInt8Array, end: UInt8Array) -> FloatArray:
    """Where each pixel of ``start`` [H, W, 3] went in ``end``, as a step (x, y) [H, W, 2].

    OpenCV's DIS flow (Kroeger et al. 2016).
    """
    import cv2

    grey = [cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in (start, end)]
    estimator: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(estimator.calc(*grey, None))


def occluded(there: FloatArray, back: FloatArray) -> npt.NDArray[np.bool_]:
    """Where the flow ``back`` [H, W, 2] does not undo the flow ``there``, bool [H, W]."""
    returned = stepped(back.astype(np.float32), there)
    missed = np.square(there + returned).sum(axis=2)
    length = np.square(there).sum(axis=2) + np.square(returned).sum(axis=2)
    return np.asarray(missed > _SHARE_OF_FLOW * length + _MARGIN_PIXELS)


def stepped(picture: FloatArray, steps: FloatArray) -> FloatArray:
    """What ``picture`` [H, W, C] float32 shows a step away from each pixel."""
    import cv2

    height, width = steps.shape[:2]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    places = (np.stack([x, y], axis=2) + steps).astype(np.float32)
    return np.asarray(
        cv2.remap(picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def head_crop(pixels: UInt8Array, square: Square) -> UInt8Array:
    """All that has to be remembered of a picture to see how the head in ``square`` moves."""
    return warp(pixels, square.frame_to_crop(_MOTION_SIZE), _MOTION_SIZE)


def head_motion(before: UInt8Array, after: UInt8Array, square: Square) -> FloatArray:
    """The similarity [2, 3] by which a head moved from the FFHQ ``square`` where it was before.

    ``before`` is its ``head_crop`` there and then, ``after`` the picture now; the motion is in
    pixels of the picture. Most of the face between brows and mouth has to move as a whole; what
    moves otherwise is left out of the fit. Flat pictures do not move.
    """
    frame_to_crop = square.frame_to_crop(_MOTION_SIZE)
    steps = flow(before, head_crop(after, square))
    x = np.linspace(_SKULL_LEFT, _SKULL_RIGHT, _NUM_POINTS) * _MOTION_SIZE
    y = np.linspace(_SKULL_TOP, _SKULL_BOTTOM, _NUM_POINTS) * _MOTION_SIZE
    start_xy = np.stack(np.meshgrid(x.astype(int), y.astype(int)), axis=2).reshape(-1, 2)
    end_xy = start_xy + steps[start_xy[:, 1], start_xy[:, 0]]
    motion = np.column_stack([np.eye(2), np.median(end_xy - start_xy, axis=0)])
    for _ in range(_NUM_FITS):
        missed = np.hypot(*(transform_points(start_xy, motion) - end_xy).T)
        kept = missed <= np.quantile(missed, _KEPT_PART)
        motion = fit_similarity(start_xy[kept], end_xy[kept])
    return compose(compose(frame_to_crop, motion), invert(frame_to_crop))
