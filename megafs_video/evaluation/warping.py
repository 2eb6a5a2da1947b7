"""Does a face move with the picture: what is left when a frame is warped onto the next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from megafs_video.geometry.flow import flow, occluded, stepped
from megafs_video.values import UInt8Array, check_pixels, check_shape


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
    for pixels in (*before, *after):
        check_pixels("frames", pixels)
        check_shape("frames", pixels, (*mask.shape, 3))
    back = flow(after[0], before[0])
    seen = mask & ~occluded(back, flow(before[0], after[0]))
    if not seen.any():
        return [float("nan")] * len(before)
    errors = []
    for first, second in zip(before, after, strict=True):
        warped = stepped(first.astype(np.float32), back)  # [H, W, 3]
        squares = np.square((second - warped) / 255)[seen]  # [seen, 3]
        errors.append(float(squares.mean()))
    return errors
