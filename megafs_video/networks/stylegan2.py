"""StyleGAN2 (Karras 2020, arXiv 1912.04958), the paper's generator (§3.3): W++ -> picture.

Any power of two up to 1024 px. Made for speed, with nothing changed in what is computed: the
equalised learning rate, the noise strengths and the gain √2 are folded into the weights
(``rosinality.py``), zeros between pixels are never multiplied, the blur runs along one axis and
then the other, and modulation takes the form that is cheaper for the layer and the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from megafs_video.networks.dims import Dims
from megafs_video.values import Latents

BLUR = (0.25, 0.75, 0.75, 0.25)  # [1, 3, 3, 1] with the gain of a factor-2 upsampler
EPSILON = 1e-8
GAIN = 2**0.5  # LeakyReLU(0.2)·√2 = LeakyReLU(√2·x, 0.2): the gain goes into what comes before


class ModulatedConvolution(nn.Module):
    """A convolution whose input channels a style scales, and whose outputs have unit variance.

    Either the weights are scaled, or the input's channels before and the output's after: for one
    face whatever is less to multiply. Weights that stay as they are serve a whole batch, and an
    engine can arrange them once.
    """

    energy: Tensor  # [C_out, C_in], the weight's squares summed over its window
    noise: Tensor  # [1, 1, S, S], times its strength and √2

    def __init__(
        self, in_channels: int, out_channels: int, style_size: int, size: int, *, doubles: bool
    ) -> None:
        super().__init__()
        self.modulation = nn.Linear(style_size, in_channels)
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))  # times √2
        self.blur = Blur(out_channels) if doubles else None
        self.register_buffer("energy", torch.zeros(out_channels, in_channels))
        self.register_buffer("noise", torch.zeros(1, 1, size, size))

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """features [N, C_in, H, W], style [N, 512] -> [N, C_out, S, S], S being H or 2H."""
        scales = self.modulation(style)  # [N, C_in]
        variance = functional.linear(scales.square(), self.energy)
        demodulation = GAIN * torch.rsqrt(variance + EPSILON)  # [N, C_out]
        if self._scales_weights(features):
            weight = self.weight * torch.outer(demodulation[0], scales[0])[:, :, None, None]
            features = self._convolve(features, weight, self.bias)
        else:
            features = self._convolve(features * scales[:, :, None, None], self.weight, None)
            demodulation, bias = demodulation.to(features.dtype), self.bias.to(features.dtype)
            features = features * demodulation[:, :, None, None] + bias[:, None, None]
        features += self.noise
        return functional.leaky_relu(features, 0.2, inplace=True)

    def _scales_weights(self, features: Tensor) -> bool:
        if len(features) != 1 or _is_traced():  # a batch, or for an engine
            return False
        num_outputs = len(self.weight) * self.noise.numel()
        return self.weight.numel() < features.numel() + num_outputs

    def _convolve(self, features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.blur is None:
            return functional.conv2d(features, weight, bias, padding=1)
        blurred: Tensor = self.blur(spread(features, weight), bias)
        return blurred


def _is_traced() -> bool:
    """Whether an engine reads the network off, which wants one form for every batch."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined,no-untyped-call]  # no stubs


def spread(features: Tensor, flipped: Tensor) -> Tensor:
    """Zeros between the pixels, then a 3x3 window: a transposed convolution of stride 2.

    features [N, C_in, H, W], flipped [C_out, C_in, 3, 3] (the window back to front) ->
    [N, C_out, 2H + 3, 2W + 3], a frame of zeros around 2H + 1 rows and 2W + 1 columns.

    Of the window, the four pixels of a 2x2 cell see parts of 2x2, 2x1, 1x2 and 1x1 weights beside
    the zeros: four small convolutions, which are faster than the transposed one.
    """
    batch, _, height, width = features.shape
    places = tuple(product((0, 1), repeat=2))  # row and column in the cell
    windows = [flipped[:, :, row::2, column::2] for row, column in places]
    if _is_traced():
        # Engines know how to weave whole maps, but not how to write every other pixel.
        maps = [
            functional.conv2d(
                functional.pad(features, (0, column, 0, row)), window, padding=(1 - row, 1 - column)
            )
            for window, (row, column) in zip(windows, places, strict=True)
        ]
        cells = torch.cat(maps, dim=1).view(batch, 2, 2, len(flipped), height + 1, width + 1)
        woven = cells.permute(0, 3, 4, 1, 5, 2)  # [N, C_out, H + 1, 2, W + 1, 2]
        woven = woven.reshape(batch, -1, 2 * height + 2, 2 * width + 2)  # the last ones are zeros
        return functional.pad(woven, (1, 0, 1, 0))
    framed = features.new_empty(batch, 2 * height + 3, 2 * width + 3, len(flipped))
    framed = framed.permute(0, 3, 1, 2)  # channels last: whole pixels are written
    framed[:, :, :: 2 * height + 2] = 0
    framed[:, :, :, :: 2 * width + 2] = 0
    for window, (row, column) in zip(windows, places, strict=True):
        part = functional.conv2d(features, window, padding=(1 - row, 1 - column))
        framed[:, :, row + 1 : -1 : 2, column + 1 : -1 : 2] = part
    return framed


class Blur(nn.Module):
    """[1, 3, 3, 1] down the columns, then along the rows, then a bias for free."""

    kernel: Tensor  # [C, 1, 1, 4]

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.tensor(BLUR).repeat(channels, 1, 1, 1))

    def forward(self, features: Tensor, bias: Tensor | None) -> Tensor:
        """[N, C, H, W] -> [N, C, H-3, W-3]."""
        groups = len(self.kernel)
        columns = self.kernel.transpose(2, 3)
        features = functional.conv2d(features, columns, groups=groups)
        return functional.conv2d(features, self.kernel, bias, groups=groups)


def double(picture: Tensor) -> Tensor:
    """Zeros between the pixels and the blur, which is bilinear with zeros around the picture.

    [N, 3, S, S] -> [N, 3, 2S, 2S].
    """
    framed = functional.pad(picture, (1, 1, 1, 1))
    larger = functional.interpolate(framed, scale_factor=2.0, mode="bilinear", align_corners=False)
    return larger[:, :, 2:-2, 2:-2]


class ToRgb(nn.Module):
    """A modulated 1x1 convolution to three colours, without demodulation."""

    def __init__(self, in_channels: int, style_size: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(style_size, in_channels)
        self.convolution = nn.Conv2d(in_channels, 3, 1)

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """features [N, C, S, S], style [N, 512] -> [N, 3, S, S]."""
        scales = self.modulation(style)  # [N, C]
        weight, bias = self.convolution.weight, self.convolution.bias
        if len(features) == 1 and not _is_traced():
            return functional.conv2d(features, weight * scales[:, :, None, None], bias)
        return functional.conv2d(features * scales[:, :, None, None], weight, bias)


class Block(nn.Module):
    """Double the size, convolve again, and add what is seen at this size to the picture."""

    def __init__(self, in_channels: int, out_channels: int, style_size: int, size: int) -> None:
        super().__init__()
        self.up = ModulatedConvolution(in_channels, out_channels, style_size, size, doubles=True)
        self.same = ModulatedConvolution(
            out_channels, out_channels, style_size, size, doubles=False
        )
        self.rgb = ToRgb(out_channels, style_size)

    def forward(self, features: Tensor, picture: Tensor, styles: Tensor) -> tuple[Tensor, Tensor]:
        """features [N, C, S, S], picture [N, 3, S, S], styles [N, 3, 512] -> both at 2S."""
        features = self.same(self.up(features, styles[:, 0]), styles[:, 1])
        return features, double(picture) + self.rgb(features, styles[:, 2])


class StyleGan2(nn.Module):
    """W++ -> picture (paper §3.3). The weights are published ones and are never trained here."""

    blocks: Sequence[Block]  # a ModuleList, which torch does not type by its members

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        channels, style = dims.generator_channels, dims.style_size
        self.dims = dims
        self.first = ModulatedConvolution(
            dims.constant_channels, channels[0], style, 4, doubles=False
        )
        self.rgb = ToRgb(channels[0], style)
        blocks = nn.ModuleList(
            Block(before, after, style, 4 * 2**depth)
            for depth, (before, after) in enumerate(pairwise(channels), 1)
        )
        self.blocks = cast("Sequence[Block]", blocks)

    def forward(self, latents: Latents) -> Tensor:
        """constant [N, 512, 4, 4], styles [N, L, 512] -> pixels [N, 3, R, R], about [-1, 1].

        The blocks' codes overlap: what colours one size draws the next.
        """
        styles = latents.styles
        features = self.first(latents.constant, styles[:, 0])
        picture: Tensor = self.rgb(features, styles[:, 1])
        for depth, block in enumerate(self.blocks):
            codes = styles[:, 2 * depth + 1 : 2 * depth + 4]
            features, picture = block(features, picture, codes)
        return picture
