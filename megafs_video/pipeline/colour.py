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
MAX_GAINS = np.array([1.1, 1.1, 1.1])
# Fewer samples than this say nothing about a face.
MIN_WEIGHT = 16.0


def match_colours(swapped: UInt8Array, target: UInt8Array, weights: FloatArray) -> FloatArray:
    """The affine map [3, 4] of RGB that gives ``swapped`` the colours of ``target``.

    Both are [H, W, 3] and compared where ``weights`` [H, W] (0 to 1) says so: the median of
    lightness and of each colour difference becomes the target's, and so does its spread (between
    the quartiles) within ``MIN_GAINS`` to ``MAX_GAINS``. Medians are those of the skin: a beard,
    a fringe or a shadow that only one of the two faces has must not tint it. Too little to
    compare gives the map that changes nothing.

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
    counted = weight > 0
    swapped_middle, swapped_spread = _statistics(swapped.reshape(-1, 3)[counted], weight[counted])
    target_middle, target_spread = _statistics(target.reshape(-1, 3)[counted], weight[counted])
    # One level is added to both so that two flat pictures have a gain of 1.
    gains = np.clip((target_spread + 1) / (swapped_spread + 1), MIN_GAINS, MAX_GAINS)
    turn = _YCC_TO_RGB @ np.diag(gains) @ _RGB_TO_YCC  # [3, 3]
    shift = _YCC_TO_RGB @ (target_middle - gains * swapped_middle)  # [3]
    return np.column_stack([turn, shift])


def _statistics(pixels: UInt8Array, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted median and distance of the quartiles, [3] each, of the colours of [K, 3]."""
    values = pixels.astype(np.float64) @ _RGB_TO_YCC.T  # [K, 3]
    quartiles = np.array([_quantiles(channel, weight) for channel in values.T])  # [3, 3]
    return quartiles[:, 1], quartiles[:, 2] - quartiles[:, 0]


def _quantiles(values: FloatArray, weight: FloatArray) -> FloatArray:
    """The weighted quartiles [3] of values [K], between the samples where they fall between."""
    order = np.argsort(values)
    below = np.cumsum(weight[order]) - weight[order] / 2
    parts = np.array([0.25, 0.5, 0.75]) * weight.sum()
    return np.asarray(np.interp(parts, below, values[order]))
