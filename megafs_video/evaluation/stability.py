"""How much a face changes from frame to frame: closed formulas over what was measured of a clip.

Rows are frames. What was not measured is NaN, and so is every result that would need it: the ends
of a clip, frames without a face, and their neighbours. Times may be any distance apart. A frozen
face scores best in all of these, so none of them means anything without the input clip's own.
"""

from __future__ import annotations

import numpy as np

from megafs_video.geometry.similarity import fit_similarity, transform_points
from megafs_video.values import FloatArray, check_shape


def adjacent_cosines(identities: FloatArray) -> FloatArray:
    """How alike each row of [T, D] is to the one before, -1 to 1, [T]; the mean is TL-ID.

    TL-ID and TG-ID (``identity.mean_pair_cosine``) are from STIT (Tzaban et al. 2022), where
    each is divided by the input clip's own.

    >>> adjacent_cosines(np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    array([nan,  1.,  0.])
    """
    check_shape("identities", identities, (None, None))
    unit = identities / np.linalg.norm(identities, axis=1, keepdims=True)
    cosines = np.full(len(identities), np.nan)
    cosines[1:] = (unit[1:] * unit[:-1]).sum(axis=1)
    return cosines


def accelerations(points: FloatArray, seconds: FloatArray) -> FloatArray:
    """Mean length of the acceleration of K points [T, K, C], in their unit a second squared, [T].

    Points that move evenly have none. White noise of deviation d in one coordinate, at intervals
    of h seconds, has accelerations of deviation sqrt(6) d / h².
    """
    check_shape("points", points, (len(seconds), None, None))
    found = np.full(len(seconds), np.nan)
    if len(seconds) < 3:
        return found
    velocities = np.diff(points, axis=0) / np.diff(seconds)[:, None, None]  # [T - 1, K, C]
    half_span = (seconds[2:] - seconds[:-2]) / 2
    change = np.diff(velocities, axis=0) / half_span[:, None, None]  # [T - 2, K, C]
    found[1:-1] = np.linalg.norm(change, axis=2).mean(axis=1)
    return found


def flickers(values: FloatArray, seconds: FloatArray) -> FloatArray:
    """How far each row of [T, C] is from the line through its neighbours, in their unit, [T].

    Scaled so that white noise of deviation d has a root mean square of d, in each of C and
    over them. What changes evenly does not flicker.
    """
    check_shape("values", values, (len(seconds), None))
    found = np.full(len(seconds), np.nan)
    if len(seconds) < 3:
        return found
    share = ((seconds[1:-1] - seconds[:-2]) / (seconds[2:] - seconds[:-2]))[:, None]  # of the next
    line = (1 - share) * values[:-2] + share * values[2:]
    gain = np.sqrt(1 + np.square(share) + np.square(1 - share))
    found[1:-1] = np.sqrt(np.square((values[1:-1] - line) / gain).mean(axis=1))
    return found


def expression_errors(target_xy: FloatArray, swapped_xy: FloatArray) -> FloatArray:
    """How far the swapped face's points are from where the target's expression has them, [T].

    Both are [T, K, 2]. Similarities lay all faces over one, so neither size nor place counts;
    the mean difference over the clip, which is that of two people's features, is taken away. In
    parts of the points' mean distance from their centre.
    """
    check_shape("swapped_xy", swapped_xy, target_xy.shape)
    errors = np.full(len(target_xy), np.nan)
    known = np.flatnonzero(np.isfinite(target_xy + swapped_xy).all(axis=(1, 2)))
    if len(known) == 0:
        return errors
    reference_xy = target_xy[known[0]]
    differences_xy = np.stack(
        [
            _laid(swapped_xy[index], reference_xy) - _laid(target_xy[index], reference_xy)
            for index in known
        ]
    )  # [known, K, 2]
    differences_xy -= differences_xy.mean(axis=0)
    spread = np.linalg.norm(reference_xy - reference_xy.mean(axis=0), axis=1).mean()
    errors[known] = np.linalg.norm(differences_xy, axis=2).mean(axis=1) / spread
    return errors


def _laid(points_xy: FloatArray, over_xy: FloatArray) -> FloatArray:
    return transform_points(points_xy, fit_similarity(points_xy, over_xy))
