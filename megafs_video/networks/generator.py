"""MobileStyleGAN (Belousov 2021): a distilled StyleGAN2 that draws 1024 px faces from W++.

The constant C enters at 4 px; seven blocks double the size with an inverse Haar transform;
a last transform turns 12 channels at half size into the RGB picture. Demodulation does not
depend on the style (it is folded into the weights), so a modulated convolution is plain:
scale the input's channels, convolve. Every sample of a batch shares its weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from megafs_video.networks.dims import Dims
from megafs_video.networks.order import SmallMapConv
from megafs_video.values import Latents

Corner = tuple[int, int]
"""(top, left) of a window, in pixels of the map it is cut from."""


def inverse_haar(bands: Tensor) -> Tensor:
    """One step of the inverse Haar transform: [N, 4C, H, W] -> [N, C, 2H, 2W].

    The channels are four bands of C: low, differences between rows, between columns and along
    the diagonal. The transform's factor 1/2 is not applied: it is folded into the weights that
    make the bands. Works in channels-last order, where every copy moves whole pixels.

    >>> inverse_haar(torch.tensor([4.0, 1, 2, 0]).view(1, 4, 1, 1))
    tensor([[[[7., 3.],
              [5., 1.]]]])
    """
    batch, channels, height, width = bands.shape
    low, rows, columns, diagonal = bands.permute(0, 2, 3, 1).chunk(4, dim=3)  # [N, H, W, C]
    even, odd = low + rows, low - rows
    even_step, odd_step = columns + diagonal, columns - diagonal
    if not torch.is_grad_enabled():  # straight into place, where nobody wants gradients
        made = bands.new_empty(batch, 2 * height, 2 * width, channels // 4)
        torch.add(even, even_step, out=made[:, ::2, ::2])
        torch.sub(even, even_step, out=made[:, ::2, 1::2])
        torch.add(odd, odd_step, out=made[:, 1::2, ::2])
        torch.sub(odd, odd_step, out=made[:, 1::2, 1::2])
        return made.permute(0, 3, 1, 2)
    top = torch.stack((even + even_step, even - even_step), dim=3)  # [N, H, W, 2, C]
    bottom = torch.stack((odd + odd_step, odd - odd_step), dim=3)
    cells = torch.stack((top, bottom), dim=2)  # [N, H, 2, W, 2, C]
    picture = cells.view(batch, 2 * height, 2 * width, channels // 4)
    return picture.permute(0, 3, 1, 2)


class ModulatedConvolution(nn.Module):
    """Scale the channels by a style, convolve, add fixed noise and a bias, leak (slope 0.2)."""

    def __init__(
        self, in_channels: int, out_channels: int, style_size: int, size: int, *, separable: bool
    ) -> None:
        super().__init__()
        self.modulation = nn.Linear(style_size, in_channels)
        self.noise = nn.Parameter(torch.zeros(1, 1, size, size))
        if separable:
            self.depthwise: nn.Conv2d | None = nn.Conv2d(
                in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False
            )
            self.convolution = nn.Conv2d(in_channels, out_channels, 1)
        else:
            self.depthwise = None
            self.convolution = SmallMapConv(in_channels, out_channels, 3, padding=1)

    def forward(self, features: Tensor, style: Tensor, corner: Corner = (0, 0)) -> Tensor:
        """features [N, C_in, H, W], style [N, 512] -> [N, C_out, H, W].

        corner: where the features begin, if they are a window of the whole map.
        """
        scales = self.modulation(style)  # [N, C_in]
        if self.depthwise is None:
            features = self.convolution(features * scales[:, :, None, None])
        elif len(features) == 1:  # fewer weights than features are scaled
            weight = self.depthwise.weight * scales[0, :, None, None, None]
            features = functional.conv2d(features, weight, padding=1, groups=len(weight))
            features = self.convolution(features)
        else:
            features = self.convolution(self.depthwise(features * scales[:, :, None, None]))
        (top, left), (height, width) = corner, features.shape[-2:]
        features += self.noise[:, :, top : top + height, left : left + width]
        return functional.leaky_relu(features, 0.2, inplace=True)


class Block(nn.Module):
    """Double the size by an inverse Haar transform, then two separable convolutions."""

    def __init__(self, in_channels: int, out_channels: int, style_size: int, size: int) -> None:
        super().__init__()
        self.up = nn.Linear(style_size, in_channels)
        self.first = ModulatedConvolution(
            in_channels // 4, out_channels, style_size, size, separable=True
        )
        self.second = ModulatedConvolution(
            out_channels, out_channels, style_size, size, separable=True
        )

    def forward(
        self,
        features: Tensor,
        first_style: Tensor,
        second_style: Tensor,
        corner: Corner = (0, 0),
    ) -> Tensor:
        """features [N, C_in, H, W] -> [N, C_out, 2H, 2W]; up and first share one style.

        corner: where the doubled features begin, if they are a window of the whole map.
        """
        features = inverse_haar(features * self.up(first_style)[:, :, None, None])
        drawn: Tensor = self.second(self.first(features, first_style, corner), second_style, corner)
        return drawn


class Picture(nn.Module):
    """A 1x1 modulated convolution to 12 channels and the last inverse Haar transform."""

    def __init__(self, in_channels: int, style_size: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(style_size, in_channels)
        self.convolution = nn.Conv2d(in_channels, 12, 1)

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """features [N, C, H, W], style [N, 512] -> RGB [N, 3, 2H, 2W]."""
        scales = self.modulation(style)[:, :, None, None]
        if len(features) == 1:  # fewer weights than features are scaled
            weight, bias = self.convolution.weight * scales, self.convolution.bias
            return inverse_haar(functional.conv2d(features, weight, bias))
        return inverse_haar(self.convolution(features * scales))


class Generator(nn.Module):
    """W++ -> picture (paper §3.3). The weights are published ones and are never trained here."""

    blocks: Sequence[Block]  # a ModuleList, which torch does not type by its members

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        channels = dims.generator_channels
        style = dims.style_size
        self.dims = dims
        self.constant = nn.Parameter(torch.randn(1, dims.constant_channels, 4, 4))
        self.first = ModulatedConvolution(
            dims.constant_channels, channels[0], style, 4, separable=False
        )
        blocks = nn.ModuleList(
            Block(before, after, style, 4 * 2**depth)
            for depth, (before, after) in enumerate(pairwise(channels), 1)
        )
        self.blocks = cast("Sequence[Block]", blocks)
        self.picture = Picture(channels[-1], style)

    def features(self, latents: Latents, num_blocks: int) -> Tensor:
        """Features after ``num_blocks`` blocks: [N, C, S, S] with S = 4 · 2^num_blocks.

        Code 0 feeds the first convolution; block i takes codes 2i-1 and 2i.
        """
        styles = latents.styles
        features: Tensor = self.first(latents.constant, styles[:, 0])
        for depth, block in enumerate(self.blocks[:num_blocks]):
            features = block(features, styles[:, 2 * depth + 1], styles[:, 2 * depth + 2])
        return features

    def finish(
        self, features: Tensor, styles: Tensor, num_blocks: int, corner: Corner = (0, 0)
    ) -> Tensor:
        """The picture from what ``features`` gives, or from a window of it.

        features [N, C, H, W] after ``num_blocks`` blocks, beginning at ``corner`` ->
        pixels [N, 3, k · H, k · W], k = 2^(blocks left + 1). A window lacks what lies beside it:
        within 2 px of its edge (of the features) the picture is another.
        """
        top, left = corner
        for depth in range(num_blocks, len(self.blocks)):
            top, left = 2 * top, 2 * left
            first_style, second_style = styles[:, 2 * depth + 1], styles[:, 2 * depth + 2]
            features = self.blocks[depth](features, first_style, second_style, (top, left))
        pixels: Tensor = self.picture(features, styles[:, -1])
        return pixels

    def forward(self, latents: Latents) -> Tensor:
        """constant [N, 512, 4, 4], styles [N, L, 512] -> pixels [N, 3, R, R], about [-1, 1]."""
        num_blocks = len(self.blocks)
        return self.finish(self.features(latents, num_blocks), latents.styles, num_blocks)


class StyleMapper(nn.Module):
    """StyleGAN's mapping network: a normal z becomes a style code w (training only)."""

    def __init__(self, style_size: int, num_layers: int = 8) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(style_size, style_size) for _ in range(num_layers))

    def forward(self, noise: Tensor) -> Tensor:
        """z [N, 512] -> w [N, 512]."""
        codes = noise * torch.rsqrt(noise.square().mean(dim=1, keepdim=True) + 1e-8)
        for layer in self.layers:
            codes = functional.leaky_relu(layer(codes), 0.2) * 2**0.5
        return codes
