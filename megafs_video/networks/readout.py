"""The picture that the generator's later blocks will make of its early features, at once.

One linear layer maps features to the Haar bands of a picture at twice their size, after the codes
of the later blocks have scaled the channels: those decide most of a picture's colours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from megafs_video.networks.dims import Dims
from megafs_video.networks.generator import inverse_haar

RANK = 64  # numbers that are kept of the later codes
CALM = 0.1  # codes in standard deviations, times this: thousands of them move a layer at once


class Readout(nn.Module):
    """Features after ``num_blocks`` blocks -> a picture of twice their size."""

    style_mean: Tensor  # [512]
    style_scale: Tensor  # [512]

    def __init__(self, dims: Dims, num_blocks: int) -> None:
        super().__init__()
        channels = dims.generator_channels[num_blocks]
        self.num_blocks = num_blocks
        self.num_heard = 2 * num_blocks + 1  # codes that the features have heard already
        self.code = nn.Linear((dims.num_styles - self.num_heard) * dims.style_size, RANK)
        self.scale = nn.Linear(RANK, channels)
        self.bands = nn.Conv2d(channels, 12, 1)
        nn.init.zeros_(self.scale.weight)
        nn.init.zeros_(self.scale.bias)
        self.register_buffer("style_mean", torch.zeros(dims.style_size))
        self.register_buffer("style_scale", torch.ones(dims.style_size))

    def forward(self, features: Tensor, styles: Tensor, *, learns: bool = False) -> Tensor:
        """features [N, C, S, S], styles [N, L, 512] -> pixels [N, 3, 2S, 2S], about [-1, 1].

        learns: whether gradients reach its own weights. They should where its picture is compared
        with the generator's, and nowhere else: it would draw what is wanted, not what is there.
        For the same reason none reach the later codes: those would learn to please the readout.
        """
        scales = self.scales(styles, learns=learns)[:, :, None, None]
        weight, bias = own(self.bands, learns=learns)
        return inverse_haar(functional.conv2d(features * scales, weight, bias))

    def scales(self, styles: Tensor, *, learns: bool = False) -> Tensor:
        """What the channels are scaled by: [N, C]."""
        later = (styles[:, self.num_heard :].detach() - self.style_mean) / self.style_scale
        heard = functional.linear(CALM * later.flatten(1), *own(self.code, learns=learns))
        return 1 + functional.linear(heard, *own(self.scale, learns=learns))


def own(layer: nn.Linear | nn.Conv2d, *, learns: bool) -> tuple[Tensor, Tensor]:
    """A layer's weight and bias, with or without their gradients."""
    assert layer.bias is not None
    if learns:
        return layer.weight, layer.bias
    return layer.weight.detach(), layer.bias.detach()
