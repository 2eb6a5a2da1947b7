"""The paper's losses, one equation each (§3.4, Eq. 4–14). All return a scalar.

Pictures are [N, 3, H, W] in [-1, 1]; embeddings are unit vectors; points are [N, K, 2].
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional


def reconstruction_loss(pictures: Tensor, wanted: Tensor, cell: int = 1) -> Tensor:
    """Eq. 4 and 9: mean squared difference of pixels, or of the means of ``cell`` x ``cell``."""
    apart = pictures - wanted
    if cell > 1:
        apart = functional.avg_pool2d(apart, cell)
    return apart.square().mean()


def perceptual_loss(distances: Tensor) -> Tensor:
    """Eq. 5 and 10: mean LPIPS of pairs, [N] -> scalar."""
    return distances.mean()


def identity_loss(embeddings: Tensor, wanted: Tensor) -> Tensor:
    """Eq. 6 and 11: one minus the cosine of two faces' embeddings."""
    return 1 - (embeddings * wanted).sum(dim=1).mean()


def landmark_loss(points: Tensor, wanted: Tensor) -> Tensor:
    """Eq. 7 and 12: mean squared distance of corresponding landmarks."""
    return (points - wanted).square().sum(dim=2).mean()


def expression_loss(points: Tensor, wanted: Tensor, spans: Sequence[tuple[int, int]]) -> Tensor:
    """Ours: how far lids, lips, brows and pupils stand apart.

    spans: pairs of points. A closed and an open mouth differ by a few pixels, of which the
    square in Eq. 12 leaves nothing; this loss is linear in them.
    """
    first, second = (list(column) for column in zip(*spans, strict=True))
    apart = (points[:, first] - points[:, second]) - (wanted[:, first] - wanted[:, second])
    return apart.abs().sum(dim=2).mean()


def norm_loss(source_high: Tensor, swapped_high: Tensor, style_scale: Tensor) -> Tensor:
    """Eq. 13: how far the swapped codes are from the source's, in standard deviations."""
    return ((source_high - swapped_high) / style_scale).square().mean()


def code_loss(styles: Tensor, wanted: Tensor, style_scale: Tensor) -> Tensor:
    """Ours: distance to codes that are known, in standard deviations (generated faces only)."""
    return ((styles - wanted) / style_scale).square().mean()


def constant_loss(constant: Tensor, constant_mean: Tensor) -> Tensor:
    """Ours: how far C strays from the generator's own constant, so that codes do the work."""
    return (constant - constant_mean).square().mean()
