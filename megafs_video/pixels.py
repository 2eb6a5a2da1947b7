"""Host pixels to device pixels and back, by the same constants for every frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from megafs_video.values import FloatArray, UInt8Array, check_pixels, check_shape

# 0 to 255 onto [-1, 1]. Never a picture's own minimum and maximum: that flickers.
HALF_RANGE = 127.5


def to_device(pictures: Sequence[UInt8Array], device: torch.device | str) -> Tensor:
    """Pictures uint8 [H, W, 3] of one size as float32 [N, 3, H, W] in [-1, 1], channels last."""
    for picture in pictures:
        check_pixels("picture", picture)
    stacked = np.stack(pictures)  # [N, H, W, 3]
    if torch.device(device).type == "cpu":
        # By one thread: torch shares even this out, and waits for threads that are busy elsewhere.
        levels = stacked.astype(np.float32)
        levels /= HALF_RANGE
        levels -= 1.0
        return torch.from_numpy(levels).permute(0, 3, 1, 2)
    # Bytes travel to the device, not floats: a quarter of the traffic.
    on_device = torch.from_numpy(stacked).to(device).permute(0, 3, 1, 2)
    return on_device.to(torch.float32).div_(HALF_RANGE).sub_(1.0)


def to_host(pixels: Tensor) -> UInt8Array:
    """Pixels [N, 3, H, W] in [-1, 1] (what lies outside is clamped) as uint8 [N, H, W, 3]."""
    check_shape("pixels", pixels, (None, 3, None, None))
    if pixels.device.type == "cpu":
        return np.stack([_on_host(picture) for picture in pixels.detach().to(torch.float32)])
    # The first step makes a new tensor: one made in inference mode refuses changes in place.
    levels = pixels.to(torch.float32).add(1.0).mul_(HALF_RANGE).round_().clamp_(0.0, 255.0)
    found: UInt8Array = levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return found


def _on_host(picture: Tensor) -> UInt8Array:
    """The same of one picture [3, H, W] float32, by one thread and in one pass."""
    import cv2

    channels_last = picture.permute(1, 2, 0).numpy()  # [H, W, 3]
    if channels_last.flags.c_contiguous:
        return _levels(channels_last)
    planes = _levels(picture.reshape(-1, picture.shape[2]).numpy())  # [3 H, W]
    return np.asarray(cv2.merge(list(planes.reshape(picture.shape))), np.uint8)


def _levels(pixels: FloatArray) -> UInt8Array:
    """Pixels in [-1, 1] as bytes; OpenCV rounds and saturates as it stores them."""
    import cv2

    levels = cv2.addWeighted(pixels, HALF_RANGE, pixels, 0.0, HALF_RANGE, dtype=cv2.CV_8U)
    return np.asarray(levels, np.uint8)
