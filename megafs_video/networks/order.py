"""In which order weights and maps lie in memory: it decides the speed of a convolution."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


class SmallMapConv(nn.Conv2d):
    """A convolution of a map of a few pixels with many channels.

    Its time goes into reading the weights, and torch reads them twice as fast on a CPU when they
    are not in channels-last order: 512 to 512 channels at 4 px take 0.37 ms instead of 0.75.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[N, C_in, H, W] -> [N, C_out, H / stride, W / stride]."""
        return super().forward(x.contiguous())


def to_channels_last(module: M) -> M:
    """The module with its weights in channels-last order, the faster one for other convolutions."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs
    for part in module.modules():
        if isinstance(part, SmallMapConv):
            part.weight.data = part.weight.data.contiguous()
    return module
