"""A generated face takes on the light of the face it replaces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from megafs_video.values import FloatArray, UInt8Array, check_shape

# Lightness and two colour differences of gamma-coded RGB (BT.709): close to what the eye keeps
# apart, and one matrix away from RGB, so a whole match is a single linear map of the pixels.
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

NUM_TERMS = 6
UNCHANGED = np.eye(3, 3 + NUM_TERMS)
"""The map that leaves a face in its own light."""

# Levels beyond which a pixel is no light on skin (a brow, a lip, a hair) and pulls no harder.
_HUBER_LEVELS = np.array([12.0, 4.0, 4.0])
_NUM_ROUNDS = 5
_RIDGE = 1e-3


def place_terms(places: FloatArray) -> FloatArray:
    """Terms [..., 6] of a quadratic of places (x, y) [..., 2] in the crop, -1 to 1.

    >>> place_terms(np.array([0.5, -1.0])).tolist()
    [1.0, 0.5, -1.0, 0.25, -0.5, 1.0]
    """
    x, y = places[..., 0], places[..., 1]
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)


def match_light(
    swapped: UInt8Array, target: UInt8Array, weights: FloatArray, places: FloatArray
) -> FloatArray:
    """The map [3, 9] of RGB and ``place_terms`` that puts ``swapped`` into the light of ``target``.

    Both are [H, W, 3] and compared where ``weights`` [H, W] (0 to 1) says so; ``places``
    [H, W, 2] is where their pixels lie in the crop. In either face, light is the quadratic of the
    place that most of its pixels follow, in lightness and in both colour differences: the skin,
    whatever brows, lips or a hand do. What is left is detail. The swapped face keeps its detail,
    with the spread (between the quartiles) of the target's within ``MIN_GAINS`` to ``MAX_GAINS``,
    and takes the target's light. Too little to compare gives ``UNCHANGED``.

    >>> grey, light = np.full((8, 8, 3), 90, np.uint8), np.full((8, 8, 3), 120, np.uint8)
    >>> light_map = match_light(grey, light, np.ones((8, 8)), np.zeros((8, 8, 2)))
    >>> (light_map @ [90, 90, 90, 1, 0, 0, 0, 0, 0]).round(3).tolist()
    [120.0, 120.0, 120.0]
    """
    check_shape("target", target, swapped.shape)
    check_shape("weights", weights, swapped.shape[:2])
    check_shape("places", places, (*swapped.shape[:2], 2))
    is_seen = weights > 0
    weight = weights[is_seen].astype(np.float64)  # [K]
    if weight.sum() < MIN_WEIGHT:
        return UNCHANGED
    terms = place_terms(places[is_seen].astype(np.float64))  # [K, 6]
    (swapped_light, swapped_spread), (target_light, target_spread) = _lights(
        [swapped[is_seen], target[is_seen]], weight, terms
    )
    # One level is added to both so that two flat pictures have a gain of 1.
    gains = np.clip((target_spread + 1) / (swapped_spread + 1), MIN_GAINS, MAX_GAINS)
    turn = _YCC_TO_RGB @ np.diag(gains) @ _RGB_TO_YCC  # [3, 3]
    shift = _YCC_TO_RGB @ (target_light - gains * swapped_light).T  # [3, 6]
    return np.column_stack([turn, shift])


def _lights(
    pixels: Sequence[UInt8Array], weight: FloatArray, terms: FloatArray
) -> list[tuple[FloatArray, FloatArray]]:
    """Light [6, 3], and the distance of the quartiles [3] of the detail, of pixels [K, 3] each.

    A Huber regression by reweighted least squares: what is far from the light counts by the
    side it is on, not by its distance. All pictures are worked on together: [D, K].
    """
    values = np.concatenate([_RGB_TO_YCC @ each.T.astype(np.float64) for each in pixels])
    levels = np.tile(_HUBER_LEVELS, len(pixels))[:, None]  # [D, 1]
    squares = (terms[:, :, None] * terms[:, None, :]).reshape(len(terms), -1)  # [K, 6 · 6]
    # Held lightly, so that a face of which little is seen has no wild light in its far corner.
    ridge = _RIDGE * weight.sum() * np.diag([0.0] + [1.0] * (NUM_TERMS - 1))
    trust = np.tile(weight, (len(levels), 1))  # [D, K]
    for _ in range(_NUM_ROUNDS):
        systems = (trust @ squares).reshape(-1, NUM_TERMS, NUM_TERMS) + ridge
        light = np.linalg.solve(systems, ((trust * values) @ terms)[:, :, None])[:, :, 0]  # [D, 6]
        detail = values - light @ terms.T
        trust = weight * (levels / np.maximum(np.abs(detail), levels))
    spread = np.array([_quartile_distance(channel, weight) for channel in detail])
    parts = len(pixels)
    return list(zip(np.hsplit(light.T, parts), np.hsplit(spread, parts), strict=True))


def _quartile_distance(values: FloatArray, weight: FloatArray) -> float:
    """Distance of the weighted quartiles of values [K], which may fall between samples."""
    order = np.argsort(values)
    below = np.cumsum(weight[order]) - weight[order] / 2
    lower, upper = np.interp(np.array([0.25, 0.75]) * weight.sum(), below, values[order])
    return float(upper - lower)
