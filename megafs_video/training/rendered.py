"""Faces of people who do not exist, each with the exact codes that drew it.

They are the paper's auxiliary data (§4.1) and make most encoder steps cheap: the codes are
known, so nothing has to be generated to compute a loss.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from megafs_video.errors import ConfigError
from megafs_video.networks.dims import Dims
from megafs_video.networks.generator import Generator, StyleMapper
from megafs_video.training.sheets import to_host_pixels
from megafs_video.values import Latents, UInt8Array, check_shape

SHARD_SIZE = 250  # faces a file: a stopped run loses at most this many
# What numpy raises on a file that is cut off, hostile, or holds something else.
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
)


@dataclass(frozen=True, eq=False)
class RenderedFaces:
    """Pictures and the codes that drew them."""

    pixels: UInt8Array  # [N, 256, 256, 3]
    styles: Tensor  # [N, L, 512] float16

    def __post_init__(self) -> None:
        check_shape("RenderedFaces.pixels", self.pixels, (None, None, None, 3))
        check_shape("RenderedFaces.styles", self.styles, (self.pixels.shape[0], None, None))


@torch.inference_mode()
def sample_styles(
    mapper: StyleMapper,
    count: int,
    num_styles: int,
    style_mean: Tensor,
    random: torch.Generator,
    mixed_share: float = 0.5,
) -> Tensor:
    """Codes of ``count`` faces, [N, L, 512]: varied truncation, a share of them style-mixed."""
    style_size = style_mean.shape[-1]
    codes: Tensor = mapper(torch.randn(2 * count, style_size, generator=random))
    truncation = 0.5 + 0.5 * torch.rand(2 * count, 1, generator=random)
    codes = style_mean + truncation * (codes - style_mean)
    styles = codes[:count, None].repeat(1, num_styles, 1)
    crossover = torch.randint(1, num_styles, (count,), generator=random)
    is_mixed = torch.rand(count, generator=random) < mixed_share
    for index in is_mixed.nonzero().flatten().tolist():
        styles[index, crossover[index] :] = codes[count + index]
    return styles


@torch.inference_mode()
def style_statistics(mapper: StyleMapper, style_size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Mean [512] and standard deviation [512] of a code, over 10,000 samples."""
    random = torch.Generator().manual_seed(seed)
    codes = mapper(torch.randn(10_000, style_size, generator=random))
    return codes.mean(dim=0), codes.std(dim=0)


@torch.inference_mode()
def render_faces(
    folder: Path,
    generator: Generator,
    mapper: StyleMapper,
    *,
    count: int,
    seed: int,
    mixed_share: float = 0.5,
) -> RenderedFaces:
    """Draw ``count`` faces at the size of the encoder's crop.

    They are drawn in shards kept under ``folder``; a finished shard is used again, one of fewer
    faces than wanted is drawn anew. ConfigError if a shard is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mean, _ = style_statistics(mapper, generator.dims.style_size)
    shards = []
    for start in range(0, count, SHARD_SIZE):
        path = folder / f"seed{seed}-mixed{mixed_share:g}-{start:06d}.npz"
        wanted = min(SHARD_SIZE, count - start)
        shard = _read_shard(path, generator.dims) if path.exists() else None
        if shard is None or len(shard.pixels) < wanted:
            random = torch.Generator().manual_seed(seed * 1_000_003 + start)
            num_styles = generator.dims.num_styles
            styles = sample_styles(mapper, wanted, num_styles, mean, random, mixed_share)
            shard = RenderedFaces(_draw(generator, styles), styles.half())
            _write_shard(path, shard)
        shards.append((shard.pixels[:wanted], shard.styles[:wanted]))
    return RenderedFaces(
        np.concatenate([pixels for pixels, _ in shards]),
        torch.from_numpy(np.concatenate([styles.numpy() for _, styles in shards])),
    )


def _draw(generator: Generator, styles: Tensor) -> UInt8Array:
    """Pictures uint8 [N, S, S, 3] of codes [N, L, 512], one at a time: 1024 px takes memory."""
    size = generator.dims.crop_size
    pixels = np.empty((len(styles), size, size, 3), np.uint8)
    codes = styles.to(generator.constant.device)
    for index in range(len(styles)):
        picture = generator(Latents(generator.constant, codes[index : index + 1]))
        small = functional.interpolate(picture, (size, size), mode="area")
        pixels[index] = to_host_pixels(small)[0]
    return pixels


def _write_shard(path: Path, faces: RenderedFaces) -> None:
    unfinished = path.with_suffix(".part.npz")
    np.savez(unfinished, pixels=faces.pixels, styles=faces.styles.numpy())
    unfinished.replace(path)


def _read_shard(path: Path, dims: Dims) -> RenderedFaces:
    size = dims.crop_size
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            pixels, styles = stored["pixels"], stored["styles"]
        check_shape("pixels", pixels, (None, size, size, 3))
        check_shape("styles", styles, (len(pixels), dims.num_styles, dims.style_size))
        if (pixels.dtype, styles.dtype) != (np.uint8, np.float16):
            raise ValueError(f"it holds {pixels.dtype} and {styles.dtype}")
    except UNREADABLE as error:
        raise ConfigError(f"{path} is damaged ({error}); delete it to draw it again") from error
    return RenderedFaces(pixels, torch.from_numpy(styles))
