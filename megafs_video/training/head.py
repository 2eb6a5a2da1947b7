"""A picture from the generator's 64 px features, at a fraction of the cost.

One linear layer, fitted by least squares, maps the features that enter the 128 px block to the
four Haar bands of the 128 px picture. Codes of the blocks after it do not act on that picture;
they learn from rendered faces, whose codes are known.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from megafs_video.errors import ConfigError
from megafs_video.networks.generator import Generator, inverse_haar
from megafs_video.training.faces import to_device_pixels
from megafs_video.training.rendered import RenderedFaces
from megafs_video.values import Latents

NUM_BLOCKS = 4  # 4 px -> 64 px
NUM_FITTED = 300  # faces that the head is fitted on
NUM_HELD_OUT = 20  # faces that measure the fit


class PictureHead:
    """Draws 128 px pictures from W++ through the first four blocks of the generator."""

    def __init__(self, generator: Generator, weight: Tensor) -> None:
        self.generator = generator
        self.weight = weight  # [12, C + 1]

    def __call__(self, latents: Latents) -> Tensor:
        """constant, styles -> pixels [N, 3, 128, 128], about [-1, 1]; differentiable."""
        features = head_features(self.generator, latents)
        bands = functional.conv2d(features, self.weight[:, :-1, None, None], self.weight[:, -1])
        return inverse_haar(bands)


def resized(pixels: Tensor) -> Tensor:
    """Pictures at the size that the head draws: [N, 3, S, S] -> [N, 3, 128, 128]."""
    size = 8 * 2**NUM_BLOCKS
    return functional.interpolate(pixels, (size, size), mode="area")


def head_features(generator: Generator, latents: Latents) -> Tensor:
    """What the next block would read: [N, C, 64, 64], scaled by its style."""
    features = generator.features(latents, NUM_BLOCKS)
    scale: Tensor = generator.blocks[NUM_BLOCKS].up(latents.styles[:, 2 * NUM_BLOCKS + 1])
    return features * scale[:, :, None, None]


def check_num_rendered(num_rendered: int, count: int = NUM_FITTED) -> None:
    """Raise ConfigError if there would be too few rendered faces to fit the head on."""
    if num_rendered < count + NUM_HELD_OUT:
        raise ConfigError(
            f"num_rendered is {num_rendered}, but the picture head is fitted on {count} and "
            f"measured on {NUM_HELD_OUT} more; set num_rendered to {count + NUM_HELD_OUT} or more"
        )


@torch.no_grad()
def fit_picture_head(
    generator: Generator, faces: RenderedFaces, count: int = NUM_FITTED
) -> tuple[PictureHead, float]:
    """The head fitted on ``count`` rendered faces, and its mean squared error on the next 20."""
    check_num_rendered(len(faces.pixels), count)
    channels = generator.blocks[NUM_BLOCKS].up.out_features + 1
    gram, cross = torch.zeros(channels, channels), torch.zeros(channels, 12)
    for index in range(count):
        features, bands = _sample(generator, faces, index)
        gram += features.T @ features
        cross += features.T @ bands
    ridge = 1e-6 * gram.diagonal().mean() * torch.eye(channels)
    head = PictureHead(generator, torch.linalg.solve(gram + ridge, cross).T.contiguous())
    error = 0.0
    for index in range(count, count + NUM_HELD_OUT):
        latents = _latents(generator, faces, index)
        wanted = resized(to_device_pixels(faces.pixels[index : index + 1]))
        error += float((head(latents) - wanted).square().mean()) / NUM_HELD_OUT
    return head, error


def _latents(generator: Generator, faces: RenderedFaces, index: int) -> Latents:
    return Latents(generator.constant, faces.styles[index : index + 1].float())


def _sample(generator: Generator, faces: RenderedFaces, index: int) -> tuple[Tensor, Tensor]:
    """Features [P, C + 1] and wanted bands [P, 12] of one face."""
    features = head_features(generator, _latents(generator, faces, index))[0].flatten(1).T
    wanted = resized(to_device_pixels(faces.pixels[index : index + 1]))
    bands = haar(wanted)[0].flatten(1).T
    return torch.cat((features, torch.ones(len(features), 1)), dim=1), bands


def haar(pixels: Tensor) -> Tensor:
    """The bands that ``inverse_haar`` turns back into ``pixels``.

    pixels [N, C, H, W] with even H and W -> bands [N, 4C, H / 2, W / 2].

    >>> bands = haar(torch.arange(16.0).view(1, 1, 4, 4))
    >>> torch.equal(inverse_haar(bands), torch.arange(16.0).view(1, 1, 4, 4))
    True
    """
    a, b = pixels[:, :, ::2, ::2], pixels[:, :, ::2, 1::2]
    c, d = pixels[:, :, 1::2, ::2], pixels[:, :, 1::2, 1::2]
    return torch.cat((a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d), dim=1) / 4
