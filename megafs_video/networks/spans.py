"""How pupils, lids, brows and lips stand, read from a window that shows them at full size.

The backbone works at half the crop's size and hears landmarks that know no gaze. This small
network reads what they miss: where the eyes look, and how far they and the mouth are open. It
learns from MediaPipe's mesh before the encoder that hears it does (``training.spans``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from megafs_video.networks.dims import Dims
from megafs_video.networks.frozen import cut_window

WIDTHS = (24, 32, 64, 64)  # channels after each halving
HIDDEN = 192


class SpanReader(nn.Module):
    """pixels [N, 3, S, S] of aligned crops, in [-1, 1] -> spans [N, K, 2].

    A span is the offset between two points of the mesh, in its own units: ``Mesh478.GAZE`` and
    ``Mesh478.SPANS``.
    """

    LEFT, TOP, SIDE = 0.25, 0.34375, 0.5  # brows to lower lip, in units of the crop

    mean: Tensor  # [K, 2]
    scale: Tensor  # [K, 2]

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for depth, width in enumerate(WIDTHS):
            size = 5 if depth == 0 else 3
            layers += _layer(before, width, size, 2)
            if 0 < depth < len(WIDTHS) - 1:
                layers += _layer(width, width, 3, 1)
            before = width
        self.look = nn.Sequential(*layers)
        cells = round(self.SIDE * dims.crop_size) >> len(WIDTHS)
        self.place = nn.Linear(before * cells**2, HIDDEN)
        self.tell = nn.Linear(HIDDEN, 2 * dims.num_spans)
        self.register_buffer("mean", torch.zeros(dims.num_spans, 2))
        self.register_buffer("scale", torch.ones(dims.num_spans, 2))
        self.train(mode=False)

    def train(self, mode: bool = True) -> SpanReader:
        """As it is, whatever the encoder around it does; ``look`` alone is told to learn."""
        return super().train(False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Spans [N, K, 2] of faces [N, 3, S, S]."""
        return self.of_window(cut_window(pixels, self.LEFT, self.TOP, self.SIDE))

    def of_window(self, window: Tensor) -> Tensor:
        """Spans [N, K, 2] of the window [N, 3, S / 2, S / 2] of each face."""
        looked = functional.dropout(self.look(window).flatten(1), 0.2, self.look.training)
        seen = functional.leaky_relu(self.place(looked), 0.1)
        told: Tensor = self.tell(seen)
        return self.mean + self.scale * told.view(-1, *self.mean.shape)


def _layer(before: int, width: int, size: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(before, width, size, stride, size // 2, bias=False)
    return [convolution, nn.BatchNorm2d(width), nn.LeakyReLU(0.1)]
