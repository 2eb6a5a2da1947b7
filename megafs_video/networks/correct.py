"""Correcting W++ by what it draws, inside the encoder.

A feed-forward encoder never sees its picture. Ours draws a sketch of it, 32 px wide, of the blocks
that C and the low codes reach, which the target keeps in a swap, looks at the difference to the
photograph, and corrects both (after ReStyle, Alaluf et al. 2021, which does so with whole pictures
and encoders). The sketch costs a fiftieth of a picture. There is no batch norm here: the
statistics of a first and of a second correction are not the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from megafs_video.networks.dims import Dims
from megafs_video.networks.generator import Generator
from megafs_video.networks.order import SmallMapConv
from megafs_video.networks.readout import Readout
from megafs_video.values import Latents

WIDTH = 256  # channels of each thing that is looked at


class Corrector(nn.Module):
    """Sketch and photograph -> steps of C and of the low codes.

    C moves in ``basis``: directions of its channels in which equal steps change the picture
    equally (``training.basis``), without which gradients see a few directions only.
    """

    basis: Tensor  # [512, 512]

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.num_low = dims.num_low
        self.style_size = dims.style_size
        self.num_blocks = dims.num_low // 2  # that the low codes reach, and so the sketch
        sketch_cells = 4 * 2**self.num_blocks  # the sketch has twice as many pixels
        self.size = 2 * sketch_cells
        per_cell = self.size // 8  # pixels of the sketch in one of 8 x 8 cells
        channels = dims.constant_channels
        self.draw = Readout(dims, self.num_blocks)
        self.look = nn.Conv2d(2 * 3 * per_cell**2, WIDTH, 3, 2, 1)
        self.place = nn.Conv2d(dims.backbone_widths[-1], WIDTH, 1)
        self.recall = nn.Conv2d(channels, WIDTH, 1)
        self.points = nn.Linear(2 * dims.num_points, 16 * WIDTH) if dims.num_points else None
        self.mix = SmallMapConv(WIDTH, 2 * WIDTH, 3, 1, 1)
        self.constant = SmallMapConv(2 * WIDTH, channels, 3, 1, 1)
        self.low = nn.Linear(2 * WIDTH, dims.num_low * dims.style_size)
        self.register_buffer("basis", torch.eye(channels))

    def sketch(self, generator: Generator, latents: Latents) -> Tensor:
        """A small picture of W++, whose later codes only colour it: [N, 3, size, size]."""
        sketch: Tensor = self.draw(generator.features(latents, self.num_blocks), latents.styles)
        return sketch

    def context(self, coarse: Tensor, points: Tensor | None) -> Tensor:
        """What is the same for every correction of a face: [N, WIDTH, 4, 4].

        coarse [N, widths[-1], H, H], the backbone's smallest map; points [N, 2 · K].
        """
        seen = pooled_to_four(self.place(coarse))
        if self.points is None or points is None:
            return seen
        heard: Tensor = self.points(points)
        return seen + heard.view(-1, WIDTH, 4, 4)

    def forward(
        self, photograph: Tensor, sketch: Tensor, context: Tensor, offset: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Steps of C [N, 512, 4, 4] and of the low codes [N, num_low, 512].

        photograph, sketch [N, 3, size, size] in [-1, 1]; context: what ``context`` gave; offset
        [N, 512, 4, 4], how far C is from its mean.
        """
        pictures = torch.cat((photograph, photograph - sketch), dim=1)
        x = self.look(into_cells(pictures)) + context + self.recall(offset)  # [N, WIDTH, 4, 4]
        x = functional.leaky_relu(x, 0.2)
        x = functional.leaky_relu(self.mix(x), 0.2)
        moved = torch.einsum("oc,nchw->nohw", self.basis, self.constant(x))
        low: Tensor = self.low(x.mean(dim=(2, 3)))
        return moved, low.view(-1, self.num_low, self.style_size)


def into_cells(pixels: Tensor) -> Tensor:
    """Each of 8 x 8 cells becomes one pixel: [N, C, 8p, 8p] -> [N, C · p · p, 8, 8].

    torch's own pixel_unshuffle does not take an empty batch.
    """
    count, channels, size, _ = pixels.shape
    part = size // 8
    cells = pixels.reshape(count, channels, 8, part, 8, part)
    return cells.permute(0, 1, 3, 5, 2, 4).reshape(count, channels * part * part, 8, 8)


def pooled_to_four(features: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, C, 4, 4], the mean of what lies in each part; 4 px stay as they are."""
    if features.shape[-2:] == (4, 4):
        return features
    pooled: Tensor = functional.adaptive_avg_pool2d(features, 4)
    return pooled
