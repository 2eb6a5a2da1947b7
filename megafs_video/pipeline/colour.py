"""A generated face takes on the colours of the face it replaces."""

from __future__ import annotations

import numpy as np

from megafs_video.values import FloatArray, UInt8Array, check_shape

# Lightness and two colour differences of gamma-coded RGB (BT.709): close to what the eye keeps
# apart, and one matrix away from RGB, so a whole match is a single affine map of the pixels.
_RGB_TO_YCC = np.array(
    [
        [0.2126, 0.7152, 0.0722],
        [-0.1146, -0.3854, 0.5000],
        [0.5000, -0.4542, -0.0458],
    ]
)
_YCC_TO_RGB = np.linalg.inv(_RGB_TO_YCC)

# Contrast may change this much and no more: a face half in shadow, or behind a hand, must not
# turn the generated one into a mask of its own.
MIN_GAINS = np.array([0.75, 0.8, 0.8])
MAX_GAINS = np.array([1.33, 1.25, 1.25])
# Fewer samples than this say nothing about a face.
MIN_WEIGHT = 16.0


def match_colours(swapped: UInt8Array, target: UInt8Array, weights: FloatArray) -> FloatArray:
    """The affine map [3, 4] of RGB that gives ``swapped`` the colours of ``target``.

    Both are [H, W, 3] and compared where ``weights`` [H, W] (0 to 1) says so: the mean of
    lightness and of each colour difference becomes the target's, and so does its deviation
    within ``MIN_GAINS`` to ``MAX_GAINS``. Too little to compare gives the map that changes
    nothing.

    >>> grey, light = np.full((8, 8, 3), 90, np.uint8), np.full((8, 8, 3), 120, np.uint8)
    >>> colour_map = match_colours(grey, light, np.ones((8, 8)))
    >>> (colour_map @ [90, 90, 90, 1]).round(3).tolist()
    [120.0, 120.0, 120.0]
    """
    check_shape("target", target, swapped.shape)
    check_shape("weights", weights, swapped.shape[:2])
    weight = weights.reshape(-1).astype(np.float64)  # [H·W]
    if weight.sum() < MIN_WEIGHT:
        return np.eye(3, 4)
    swapped_mean, swapped_deviation = _statistics(swapped, weight)
    target_mean, target_deviation = _statistics(target, weight)
    # One level is added to both so that two flat pictures have a gain of 1.
    gains = np.clip((target_deviation + 1) / (swapped_deviation + 1), MIN_GAINS, MAX_GAINS)
    turn = _YCC_TO_RGB @ np.diag(gains) @ _RGB_TO_YCC  # [3, 3]
    shift = _YCC_TO_RGB @ (target_mean - gains * swapped_mean)  # [3]
    return np.column_stack([turn, shift])


def _statistics(pixels: UInt8Array, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted mean and deviation [3] of lightness and the two colour differences."""
    values = pixels.reshape(-1, 3).astype(np.float64) @ _RGB_TO_YCC.T  # [H·W, 3]
    share = weight / weight.sum()
    mean = share @ values
    return mean, np.sqrt(share @ np.square(values - mean))
