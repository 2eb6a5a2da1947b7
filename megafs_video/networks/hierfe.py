"""HieRFE at the paper's size (§3.1, Fig. 3): ResNet-50 with a fifth stage, a pyramid, 18 codes.

Made for speed, with nothing changed in what is computed: batch norms are folded into the
convolutions before them, the mapping networks of one map run as grouped convolutions, and their
last step, which sees 2x2 pixels, is a matrix product. ``official.py`` lays the published weights
out for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from megafs_video.networks.dims import Dims
from megafs_video.networks.transfer import CodewiseLinear
from megafs_video.values import Latents

EXPANSION = 4  # a bottleneck gives four times the channels that it works in


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution and a short cut; the stride is in the 3x3 (ResNet v1.5)."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = EXPANSION * width
        self.conv1 = nn.Conv2d(in_channels, width, 1)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1)
        self.conv3 = nn.Conv2d(width, out_channels, 1)
        self.shortcut: nn.Conv2d | None = None
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C_in, H, W] -> [N, 4 · width, H / stride, W / stride]."""
        shortcut = x if self.shortcut is None else self.shortcut(x)
        x = functional.relu(self.conv1(x), inplace=True)
        x = functional.relu(self.conv2(x), inplace=True)
        return functional.relu(self.conv3(x) + shortcut, inplace=True)


class ResNet(nn.Module):
    """The stem and the stages of ResNet-50; W++ has a fifth stage, for C."""

    def __init__(self, widths: tuple[int, ...], depths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 7, 2, 3)
        stages = []
        channels = widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks = []
            for block in range(depth):
                blocks.append(Bottleneck(channels, width, 2 if stage > 0 and block == 0 else 1))
                channels = EXPANSION * width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """pixels [N, 3, 256, 256] -> maps of 64, 32, 16, 8 and 4 px."""
        x = functional.max_pool2d(functional.relu(self.stem(pixels), inplace=True), 3, 2, 1)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class CodeReader(nn.Module):
    """All the mapping networks that read one map: convolutions of stride 2 until one pixel is left.

    num_steps: 3 from 8 px, 4 from 16 px, 5 from 32 px.
    """

    def __init__(self, dims: Dims, num_codes: int, num_steps: int) -> None:
        super().__init__()
        width = num_codes * dims.mapping_width
        self.num_codes = num_codes
        # The networks share their input, so their first convolutions are one.
        first = nn.Conv2d(dims.pyramid_width, width, 3, 2, 1)
        grouped = (nn.Conv2d(width, width, 3, 2, 1, groups=num_codes) for _ in range(num_steps - 2))
        self.steps = nn.ModuleList((first, *grouped))
        # A 3x3 window of stride 2 that lies over 2x2 pixels and their border sees just these 4.
        self.last = CodewiseLinear(num_codes, 4 * dims.mapping_width, dims.style_size)

    def forward(self, features: Tensor) -> Tensor:
        """features [N, P, S, S] -> codes [N, num_codes, 512] in (-1, 1)."""
        x = features
        for step in self.steps:
            x = functional.leaky_relu(step(x), 0.01, inplace=True)
        x = x.reshape(len(x), self.num_codes, self.last.weight.shape[1])  # channels, then pixels
        codes = functional.leaky_relu(self.last(x.transpose(0, 1)), 0.01)  # [codes, N, 512]
        return torch.tanh(codes).transpose(0, 1)


class HieRFE(nn.Module):
    """The paper's encoder: pixels -> W++, or W+ with the generator's own constant for C."""

    readers: Sequence[CodeReader]  # a ModuleList, which torch does not type by its members
    learned_constant: Tensor  # [1, 512, 4, 4], of the generator

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.dims = dims
        self.backbone = ResNet(dims.backbone_widths, dims.backbone_depths)
        # Coarse to fine, from the maps of 8, 16 and 32 px.
        self.laterals = nn.ModuleList(
            nn.Conv2d(EXPANSION * dims.backbone_widths[stage], dims.pyramid_width, 3, 1, 1)
            for stage in (3, 2, 1)
        )
        readers = nn.ModuleList(
            CodeReader(dims, num_codes, num_steps=3 + depth)
            for depth, num_codes in enumerate(dims.codes_per_map)
        )
        self.readers = cast("Sequence[CodeReader]", readers)
        self.constant: nn.Conv2d | None = None
        if dims.space == "W++":
            in_channels = EXPANSION * dims.backbone_widths[-1]
            self.constant = nn.Conv2d(in_channels, dims.constant_channels, 3, 1, 1)
        else:
            self.register_buffer("learned_constant", torch.zeros(1, dims.constant_channels, 4, 4))

    def forward(self, pixels: Tensor) -> Latents:
        """pixels [N, 3, 256, 256] in [-1, 1] -> codes of N faces."""
        maps = self.backbone(pixels)
        pyramid: Tensor | None = None
        codes = []
        for lateral, features, reader in zip(
            self.laterals, (maps[3], maps[2], maps[1]), self.readers, strict=True
        ):
            features = functional.relu(lateral(features), inplace=True)
            if pyramid is not None:
                features = features + functional.interpolate(
                    pyramid, size=features.shape[2:], mode="bilinear", align_corners=True
                )
            pyramid = features
            codes.append(reader(pyramid))
        styles = torch.cat(codes, dim=1)  # [N, 18, 512], coarse to fine
        if self.constant is None:
            return Latents(self.learned_constant.expand(len(pixels), -1, -1, -1), styles)
        return Latents(self.constant(maps[4]), styles)
