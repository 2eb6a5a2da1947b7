"""Where the parts of a picture went in the next one: dense flow, and the motion of a whole face."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from megafs_video.geometry.similarity import compose, fit_similarity, invert, transform_points
from megafs_video.geometry.squares import Square
from megafs_video.geometry.warps import grey_warp
from megafs_video.values import FaceMotion, FloatArray, UInt8Array

# A pixel is occluded if the flows there and back miss each other by more than this (Sundaram,
# Brox and Keutzer 2010).
_SHARE_OF_FLOW, _MARGIN_PIXELS = 0.01, 0.5
# A grey pixel is unexplained if the pixels around it are missed by more, on the average. At 10
# levels a twentieth of what a mean over time calms is lost along real clips, at 16 next to nothing.
_MISSED_LEVELS, _MISSED_SIZE = 16, 5
# The part of an FFHQ square in which skin moves with the skull, from brows to mouth, and how many
# points of it are followed each way.
_SKULL_LEFT, _SKULL_TOP, _SKULL_RIGHT, _SKULL_BOTTOM, _NUM_POINTS = 0.28, 0.35, 0.72, 0.8, 24
# The part that is looked at, and its side in pixels: the whole face from hair to chin, wherever
# it looks (95 of 100 faces of three real clips, all but the chin of a mouth wide open).
_VIEW_LEFT, _VIEW_TOP, _VIEW_SIDE, _VIEW_SIZE = 0.11, 0.225, 0.78, 148
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


def quick_flow(start: UInt8Array, end: UInt8Array) -> FloatArray:
    """``flow`` of grey pictures [H, W] in half the time, and where it counts as good.

    As fine as ``flow`` (half the size), of fewer patches and with less refinement: along real clips
    a head's motion misses that of the finest flow by hardly more (``benchmarks/flows.py``).
    """
    import cv2

    estimator: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    estimator.setPatchStride(5)
    estimator.setGradientDescentIterations(12)
    estimator.setVariationalRefinementIterations(1)
    return np.asarray(estimator.calc(start, end, None))


def occluded(there: FloatArray, back: FloatArray) -> npt.NDArray[np.bool_]:
    """Where the flow ``back`` [H, W, 2] does not undo the flow ``there``, bool [H, W]."""
    returned = stepped(back.astype(np.float32), there)
    missed = _squared_length(there + returned)
    length = _squared_length(there) + _squared_length(returned)
    return np.asarray(missed > _SHARE_OF_FLOW * length + _MARGIN_PIXELS)


def unexplained(start: UInt8Array, end: UInt8Array, steps: FloatArray) -> npt.NDArray[np.bool_]:
    """Where grey ``start`` [H, W] is not what ``end`` shows a step away, bool [H, W].

    Something passed in front, or the light changed. It is quick, since it needs no flow back as
    ``occluded`` does, and leaves more in doubt where all is of one colour.
    """
    import cv2

    places = grid_xy(*start.shape) + steps
    seen = cv2.remap(end, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    missed = cv2.blur(cv2.absdiff(seen, start), (_MISSED_SIZE, _MISSED_SIZE))
    return np.asarray(missed > _MISSED_LEVELS)


def _squared_length(steps: FloatArray) -> FloatArray:
    """Of each step of [H, W, 2]: [H, W]."""
    x, y = steps[..., 0], steps[..., 1]
    return np.asarray(x * x + y * y)


def stepped(picture: FloatArray, steps: FloatArray) -> FloatArray:
    """What ``picture`` [H, W, C] float32 shows a step away from each pixel."""
    import cv2

    places = (grid_xy(*steps.shape[:2]) + steps).astype(np.float32)
    return np.asarray(
        cv2.remap(picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


@lru_cache(maxsize=4)
def grid_xy(height: int, width: int) -> npt.NDArray[np.float32]:
    """The place (x, y) of each pixel, [H, W, 2]; not to be written to."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    places = np.stack([x, y], axis=2)
    places.flags.writeable = False
    return places


def head_view(pixels: UInt8Array, square: Square) -> UInt8Array:
    """All that has to be remembered of a picture to see how the head in ``square`` moves.

    A grey picture [V, V] of the face, with room for it to move.
    """
    return grey_warp(pixels, _frame_to_view(square), _VIEW_SIZE)


def head_flow(
    before: UInt8Array, before_seconds: float, now: UInt8Array, square: Square
) -> FaceMotion:
    """How the parts of a head came where they are now, from where they were at another time.

    Both are what ``head_view`` shows of the same FFHQ ``square`` of the frame, then and now.
    """
    steps = quick_flow(now, before)
    is_known = ~unexplained(now, before, steps)
    return FaceMotion(before_seconds, _frame_to_view(square), steps, is_known)


def _frame_to_view(square: Square) -> FloatArray:
    size = round(_VIEW_SIZE / _VIEW_SIDE)  # of the whole square at this scale
    shift = np.array([[1.0, 0.0, -_VIEW_LEFT * size], [0.0, 1.0, -_VIEW_TOP * size]])
    return compose(square.frame_to_crop(size), shift)


@lru_cache(maxsize=1)
def _skull_xy() -> npt.NDArray[Any]:
    """The whole pixels [K, 2] of the view that are followed; not to be written to."""
    x = np.linspace(_SKULL_LEFT - _VIEW_LEFT, _SKULL_RIGHT - _VIEW_LEFT, _NUM_POINTS)
    y = np.linspace(_SKULL_TOP - _VIEW_TOP, _SKULL_BOTTOM - _VIEW_TOP, _NUM_POINTS)
    x, y = (_VIEW_SIZE / _VIEW_SIDE * each for each in (x, y))
    points_xy = np.stack(np.meshgrid(x.astype(int), y.astype(int)), axis=2).reshape(-1, 2)
    points_xy.flags.writeable = False
    return points_xy


def head_motion(motion: FaceMotion) -> FloatArray:
    """The similarity [2, 3] by which a head as a whole moved, in pixels of the frame.

    Most of the face between brows and mouth has to move as one; what moves otherwise is left out
    of the fit. Flat pictures do not move.
    """
    end_xy = _skull_xy()
    steps = motion.steps[end_xy[:, 1], end_xy[:, 0]]  # [K, 2], back
    start_xy = end_xy + steps
    moved = np.column_stack([np.eye(2), -np.median(steps, axis=0)])
    num_kept = round(_KEPT_PART * len(end_xy))
    for _ in range(_NUM_FITS):
        missed = np.hypot(*(transform_points(start_xy, moved) - end_xy).T)
        kept = np.argpartition(missed, num_kept)[:num_kept]
        moved = fit_similarity(start_xy[kept], end_xy[kept])
    return compose(compose(motion.frame_to_view, moved), invert(motion.frame_to_view))
