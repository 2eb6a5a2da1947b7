"""Does a face move with the picture: what is left when a frame is warped onto the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from megafs_video.faces.libraries import opencv
from megafs_video.values import FloatArray, UInt8Array, check_pixels, check_shape

# A pixel is occluded if the flows there and back miss each other by more than this (Sundaram,
# Brox and Keutzer 2010).
_SHARE_OF_FLOW, _MARGIN_PIXELS = 0.01, 0.5


def warp_errors(
    before: Sequence[UInt8Array],
    after: Sequence[UInt8Array],
    mask: npt.NDArray[np.bool_],
) -> list[float]:
    """E_warp of clips that show the same motion, the first of which is the input.

    ``before`` and ``after`` are a frame and the next of each clip, all [H, W, 3]. Flow and
    occlusion are the input's (Lai et al. 2018, with OpenCV's DIS flow, Kroeger et al. 2016, for
    theirs). The mean squared error, with levels from 0 to 1, counts where ``mask`` [H, W] says
    so and nothing is occluded; NaN if that is nowhere.
    """
    cv2 = opencv()
    for pixels in (*before, *after):
        check_pixels("frames", pixels)
        check_shape("frames", pixels, (*mask.shape, 3))
    back = flow(after[0], before[0])
    seen = mask & ~occluded(back, flow(before[0], after[0]))
    if not seen.any():
        return [float("nan")] * len(before)
    errors = []
    for first, second in zip(before, after, strict=True):
        warped = _sample(cv2, first.astype(np.float32), back)  # [H, W, 3]
        squares = np.square((second - warped) / 255)[seen]  # [seen, 3]
        errors.append(float(squares.mean()))
    return errors


def flow(start: UInt8Array, end: UInt8Array) -> FloatArray:
    """Where each pixel of ``start`` [H, W, 3] went in ``end``, as a step (x, y) [H, W, 2]."""
    cv2 = opencv()
    grey = [cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in (start, end)]
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(estimator.calc(*grey, None))


def occluded(there: FloatArray, back: FloatArray) -> npt.NDArray[np.bool_]:
    """Where the flow ``back`` [H, W, 2] does not undo the flow ``there``, bool [H, W]."""
    returned = _sample(opencv(), back.astype(np.float32), there)
    missed = np.square(there + returned).sum(axis=2)
    length = np.square(there).sum(axis=2) + np.square(returned).sum(axis=2)
    return np.asarray(missed > _SHARE_OF_FLOW * length + _MARGIN_PIXELS)


def _sample(cv2: Any, picture: FloatArray, steps: FloatArray) -> FloatArray:
    """What ``picture`` shows a step away from each pixel."""
    height, width = steps.shape[:2]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    places = (np.stack([x, y], axis=2) + steps).astype(np.float32)
    return np.asarray(
        cv2.remap(picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )
