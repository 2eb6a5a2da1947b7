"""Rows of pictures, to look at a model while it learns."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from megafs_video.values import UInt8Array


def to_host_pixels(pixels: Tensor) -> UInt8Array:
    """float32 [N, 3, H, W] in [-1, 1] -> uint8 [N, H, W, 3], by the fixed map."""
    host: UInt8Array = (
        ((pixels.detach() + 1) * 127.5)
        .round()
        .clamp(0, 255)
        .byte()
        .permute(0, 2, 3, 1)
        .cpu()
        .numpy()
    )
    return host


def rows_of(*rows: Tensor) -> UInt8Array:
    """Each argument [N, 3, H, W] becomes one row: [rows · H, N · W, 3]."""
    return np.concatenate([np.concatenate(list(to_host_pixels(row)), axis=1) for row in rows])
