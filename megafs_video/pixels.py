"""Host pixels to device pixels and back, by the same constants for every frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from megafs_video.values import UInt8Array, check_pixels, check_shape

# 0 to 255 onto [-1, 1]. Never a picture's own minimum and maximum: that flickers.
HALF_RANGE = 127.5


def to_device(pictures: Sequence[UInt8Array], device: torch.device | str) -> Tensor:
    """Pictures uint8 [H, W, 3] of one size as float32 [N, 3, H, W] in [-1, 1]."""
    for picture in pictures:
        check_pixels("picture", picture)
    # Bytes travel to the device, not floats: a quarter of the traffic.
    stacked = torch.from_numpy(np.stack(pictures)).to(device)  # [N, H, W, 3]
    return stacked.permute(0, 3, 1, 2).to(torch.float32).div_(HALF_RANGE).sub_(1.0)


def to_host(pixels: Tensor) -> UInt8Array:
    """Pixels [N, 3, H, W] in [-1, 1] (what lies outside is clamped) as uint8 [N, H, W, 3]."""
    check_shape("pixels", pixels, (None, 3, None, None))
    # The first step makes a new tensor: one made in inference mode refuses changes in place.
    levels = pixels.to(torch.float32).add(1.0).mul_(HALF_RANGE).round_().clamp_(0.0, 255.0)
    found: UInt8Array = levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return found
