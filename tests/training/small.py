"""A model just large enough for the picture head, which reads 64 px features."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch

from megafs_video.networks.dims import Dims
from megafs_video.networks.frozen import freeze
from megafs_video.networks.generator import Generator, StyleMapper
from megafs_video.training.head import NUM_BLOCKS, PictureHead
from megafs_video.training.rendered import RenderedFaces
from megafs_video.training.teachers import Teachers
from megafs_video.values import UInt8Array
from megafs_video.video.picture import write_picture
from tests.tiny import shaken, tiny_arcface, tiny_landmarks, tiny_lpips, tiny_mesh

SMALL = Dims(
    crop_size=64,
    style_size=8,
    constant_channels=8,
    generator_channels=(8, 8, 8, 8, 8, 4),  # pictures of 256 px
    num_low=4,
    codes_per_map=(4, 4, 4),
    # Under 16 channels oneDNN writes past its memory in the short cut's gradient (its issue 6035).
    backbone_widths=(16, 16, 16, 16),
    pyramid_width=8,
    mapping_width=8,
    identity_size=6,
    num_corrections=1,
    transfer_width=8,
)


@cache
def small_generator() -> Generator:
    torch.manual_seed(0)
    return freeze(shaken(Generator(SMALL), amount=0.1))


@cache
def small_mapper() -> StyleMapper:
    torch.manual_seed(1)
    return freeze(shaken(StyleMapper(SMALL.style_size)))


def small_teachers() -> Teachers:
    """Tiny networks in the place of every published one."""
    return Teachers(
        small_generator(),
        small_mapper(),
        tiny_arcface(),
        tiny_landmarks(),
        tiny_mesh(),
        tiny_lpips(),
    )


def small_head() -> PictureHead:
    """A head whose weights nobody fitted."""
    return shaken(PictureHead(small_generator(), NUM_BLOCKS), amount=0.1)


def small_faces(count: int, seed: int = 0) -> UInt8Array:
    """Noise in the place of faces, uint8 [N, 64, 64, 3]."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, SMALL.crop_size, SMALL.crop_size, 3), np.uint8)


def small_rendered(count: int) -> RenderedFaces:
    """Noise with codes that did not draw it."""
    torch.manual_seed(3)
    styles = torch.randn(count, SMALL.num_styles, SMALL.style_size).half()
    return RenderedFaces(small_faces(count), styles)


def write_faces(folder: Path, count: int) -> Path:
    """A folder of aligned faces, numbered from 0: every sixth is for validation."""
    folder.mkdir()
    for index, pixels in enumerate(small_faces(count)):
        write_picture(folder / f"{index:05d}.png", pixels)
    return folder
