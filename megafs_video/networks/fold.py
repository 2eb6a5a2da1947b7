"""Batch norms go into the convolutions before them, once a network no longer learns."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeVar

from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

M = TypeVar("M", bound=nn.Module)

PAIRS = (("conv1", "bn1"), ("conv2", "bn2"))
"""Names of a convolution and of the batch norm that is applied to what it gives."""


def fold_batch_norms(module: M) -> M:
    """The same function with fewer steps, in evaluation mode; it can be trained no more.

    Folded are neighbours in a ``Sequential``, and PAIRS.
    """
    for part in [*module.modules()]:
        names = pairwise(dict(part.named_children())) if isinstance(part, nn.Sequential) else PAIRS
        for before, after in names:
            convolution, norm = getattr(part, before, None), getattr(part, after, None)
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(part, before, fuse_conv_bn_eval(convolution, norm))
                setattr(part, after, nn.Identity())
    return module
