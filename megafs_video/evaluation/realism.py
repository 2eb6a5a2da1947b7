"""How far made pictures are from photographs, as two clouds of features."""

from __future__ import annotations

import numpy as np

from megafs_video.values import FloatArray, check_shape


def kernel_distance(features: FloatArray, reference: FloatArray) -> float:
    """KID: the unbiased squared MMD with the kernel (x·y / D + 1)³ (Bińkowski et al. 2018).

    features [N, D], reference [M, D]. Two samples of one cloud give 0 on average, so single
    values may lie a little below. ValueError for fewer than two rows.
    """
    check_shape("features", features, (None, None))
    check_shape("reference", reference, (None, features.shape[1]))
    if min(len(features), len(reference)) < 2:
        raise ValueError(
            f"{len(features)} and {len(reference)} rows have no distance, wanted at least 2 each"
        )
    across = _kernel(features, reference).mean()
    return float(_mean_of_others(features) + _mean_of_others(reference) - 2 * across)


def _kernel(first: FloatArray, second: FloatArray) -> FloatArray:
    """[N, D], [M, D] -> [N, M]."""
    num_features = first.shape[1]
    return np.asarray((first.astype(np.float64) @ second.T / num_features + 1) ** 3)


def _mean_of_others(features: FloatArray) -> float:
    """Mean of the kernel over all pairs of different rows."""
    kernel = _kernel(features, features)
    count = len(features)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))
