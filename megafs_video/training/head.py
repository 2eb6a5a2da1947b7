"""A picture from the generator's early features, at a fraction of the cost.

A readout (``networks.readout``) draws the picture of 128 px that the features of 64 px lead to. It
is fitted on pictures that the whole generator drew, and goes on following windows of such
pictures while the codes move away from those that it was fitted on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from megafs_video.networks.generator import Corner, Generator
from megafs_video.networks.perceptual import Lpips
from megafs_video.networks.readout import Readout
from megafs_video.training.config import PictureConfig
from megafs_video.training.losses import perceptual_loss, reconstruction_loss
from megafs_video.values import Latents

NUM_BLOCKS = 4  # 4 px -> 64 px
MARGIN = 2  # pixels of the features that a window's edge spoils
READOUT_RATE = 0.2  # of the learning rate: a few windows a step say little, and agree too much


class PictureHead(nn.Module):
    """Draws pictures from W++ through the first blocks of the generator."""

    def __init__(self, generator: Generator, num_blocks: int) -> None:
        super().__init__()
        self.generator = (generator,)  # not a part: its weights are no state of ours
        self.num_blocks = num_blocks
        self.size = 8 * 2**num_blocks
        self.window_size = self.size // 4 + 2 * MARGIN  # of the features: a quarter of them, kept
        self.readout = Readout(generator.dims, num_blocks)

    def forward(self, latents: Latents) -> Tensor:
        """constant, styles -> pixels [N, 3, size, size], about [-1, 1]; differentiable."""
        return self.draw(self.features(latents), latents)

    def features(self, latents: Latents) -> Tensor:
        """What the next block would read, before its style: [N, C, size / 2, size / 2]."""
        return self.generator[0].features(latents, self.num_blocks)

    def draw(self, features: Tensor, latents: Latents) -> Tensor:
        """The picture of what ``features`` gave."""
        picture: Tensor = self.readout(features, latents.styles)
        return picture

    def squares(self, drawn: Tensor, wanted: Tensor, size: int) -> Tensor:
        """Eq. 4 and 9 between pictures of the head's size, made at most ``size`` px wide."""
        return reconstruction_loss(drawn, wanted, self.size // size)

    def resized(self, pixels: Tensor) -> Tensor:
        """Pictures at the size that the head draws: [N, 3, S, S] -> [N, 3, size, size]."""
        return functional.interpolate(pixels, (self.size, self.size), mode="area")

    def window(self, features: Tensor, latents: Latents, corner: Corner) -> Tensor:
        """A window of the generator's own picture, less its spoilt edge.

        features: what ``features`` gave; corner: of the window, in pixels of those. The picture
        has ``scale`` pixels for each: [N, 3, (window_size - 2 · MARGIN) · scale, the same].
        """
        cut = cut_window(features, corner, self.window_size)
        drawn = self.generator[0].finish(cut, latents.styles, self.num_blocks, corner)
        edge = MARGIN * self.scale
        return drawn[:, :, edge:-edge, edge:-edge]

    def window_corner(self, random: torch.Generator) -> Corner:
        """Where a window of the features begins: anywhere."""
        last = self.size // 2 - self.window_size
        top, left = torch.randint(last + 1, (2,), generator=random).tolist()
        return top, left

    @property
    def scale(self) -> int:
        """Pixels of the picture for each of the features'."""
        return 1 << (len(self.generator[0].blocks) - self.num_blocks + 1)

    def follow(self, features: Tensor, latents: Latents, corner: Corner, drawn: Tensor) -> Tensor:
        """``follow`` in a window of the true picture, ``drawn``, which ``window`` gave."""
        side = self.window_size - 2 * MARGIN
        inner = (corner[0] + MARGIN, corner[1] + MARGIN)
        return follow(self.readout, cut_window(features, inner, side), latents, drawn)

    def follow_window(self, features: Tensor, latents: Latents, random: torch.Generator) -> Tensor:
        """``follow`` in a random window, which the generator draws for nothing else."""
        corner = self.window_corner(random)
        with torch.no_grad():
            drawn = self.window(features, latents, corner)
        return self.follow(features, latents, corner, drawn)


def follow(readout: Readout, features: Tensor, latents: Latents, drawn: Tensor) -> Tensor:
    """How far a readout is from pictures [N, 3, H, W] of its features, in squares.

    The loss teaches the readout alone.
    """
    side = 2 * features.shape[-1]
    wanted = functional.interpolate(drawn.detach(), (side, side), mode="area")
    found = readout(features.detach(), latents.styles.detach(), learns=True)
    return reconstruction_loss(found, wanted)


def window_losses(
    head: PictureHead,
    features: Tensor,
    latents: Latents,
    photographs: Tensor,
    lpips: Lpips,
    random: torch.Generator,
    config: PictureConfig,
) -> dict[str, Tensor]:
    """Eq. 4 and 5 in a random window that the whole generator draws, and ``follow`` on it.

    Of the first ``window_batch`` faces, weighted as whole pictures are.
    """
    some = slice(0, config.window_batch)
    features, latents, photographs = features[some], latents[some], photographs[some]
    size = photographs.shape[-1]
    corner = head.window_corner(random)
    drawn = head.window(features, latents, corner)
    scale = size // features.shape[-1]  # pixels of a photograph for each of the features'
    inner = (scale * (corner[0] + MARGIN), scale * (corner[1] + MARGIN))
    wanted = cut_window(photographs, inner, scale * (head.window_size - 2 * MARGIN))
    small = functional.interpolate(drawn, wanted.shape[-2:], mode="area")
    squares = reconstruction_loss(small, wanted, size // config.reconstruction_size)
    weighted = config.weight_reconstruction * squares
    if config.weight_perceptual:
        weighted = weighted + config.weight_perceptual * perceptual_loss(lpips(small, wanted))
    follows = head.follow(features, latents, corner, drawn)
    return {"window": config.weight_window * weighted, "head": follows}


def cut_window(pixels: Tensor, corner: Corner, side: int) -> Tensor:
    """[N, C, H, W] -> [N, C, side, side], from ``corner``."""
    top, left = corner
    return pixels[:, :, top : top + side, left : left + side]
