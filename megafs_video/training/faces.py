"""Folders of aligned face pictures: which are for training, which for validation, and batches."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from megafs_video.errors import InputNotFoundError, PictureError
from megafs_video.values import UInt8Array
from megafs_video.video.picture import read_picture

SUFFIXES = {".webp", ".png", ".jpg", ".jpeg"}


def is_validation(path: Path) -> bool:
    """Whether a picture is kept from training, by its name alone: every sixth number.

    >>> [is_validation(Path(name)) for name in ("00000.webp", "00005.webp", "00006.png")]
    [True, False, True]
    """
    digits = "".join(character for character in path.stem if character.isdecimal())
    return int(digits or "0") % 6 == 0


def list_faces(folder: Path, *, validation: bool | None) -> list[Path]:
    """Pictures of a folder by name: those for training, those for validation, or (None) all.

    InputNotFoundError if there are none.
    """
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    chosen = [path for path in found if validation in (None, is_validation(path))]
    if not chosen:
        parts = {True: " for validation (every sixth number)", False: " for training", None: ""}
        raise InputNotFoundError(
            f"{folder} holds no pictures{parts[validation]}; give a folder of aligned faces"
        )
    return chosen


def read_faces(paths: Sequence[Path], size: int) -> UInt8Array:
    """Pictures as one array [N, size, size, 3]; PictureError if one is of another size."""

    def read(path: Path) -> UInt8Array:
        pixels = read_picture(path)
        if pixels.shape[:2] != (size, size):
            height, width = pixels.shape[:2]
            raise PictureError(
                f"{path} is {width}x{height} pixels, wanted {size}x{size}; scale the aligned faces"
            )
        return pixels

    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(read, paths)))


def to_device_pixels(pixels: UInt8Array, device: torch.device | None = None) -> Tensor:
    """uint8 [N, H, W, 3] -> float32 [N, 3, H, W] in [-1, 1], channels last."""
    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def augment(pixels: Tensor, random: torch.Generator) -> Tensor:
    """Misalignment and light as in video, every other face mirrored. [N, 3, S, S] -> the same.

    For photographs: such a face has other codes, so those of a drawn one would be wrong.
    """
    count, _, size, _ = pixels.shape

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=random)

    angle, zoom = draw(-0.05, 0.05), draw(0.95, 1.05)
    side = draw(-1, 1).sign()
    rows = torch.stack(
        (
            torch.stack((side * zoom * angle.cos(), -zoom * angle.sin(), draw(-0.03, 0.03)), dim=1),
            torch.stack((side * zoom * angle.sin(), zoom * angle.cos(), draw(-0.03, 0.03)), dim=1),
        ),
        dim=1,
    )  # [N, 2, 3]
    grid = functional.affine_grid(
        rows.to(pixels.device), [count, 3, size, size], align_corners=False
    )
    # Bilinear weights would leave less than half of the finest detail, and that would be learnt.
    turned = functional.grid_sample(
        pixels, grid, mode="bicubic", padding_mode="reflection", align_corners=False
    ).clamp(-1, 1)
    gain = draw(0.9, 1.1).to(pixels.device)
    return turned * gain[:, None, None, None]


def degrade(pixels: Tensor, random: torch.Generator) -> Tensor:
    """Lower resolution and noise, as a camera and a codec leave them."""
    count, _, size, _ = pixels.shape
    if torch.rand((), generator=random) < 0.5:
        small = int(torch.randint(size // 3, size, (), generator=random))
        pixels = functional.interpolate(pixels, (small, small), mode="area")
        pixels = functional.interpolate(pixels, (size, size), mode="bilinear")
    noise = 0.04 * torch.rand(count, 1, 1, 1, generator=random)
    grain = randn_like(pixels, random)
    return pixels + noise.to(pixels.device) * grain


def randn_like(tensor: Tensor, random: torch.Generator) -> Tensor:
    """Normal noise drawn where the tensor is, by a seed that ``random``, on the CPU, gives."""
    seed = int(torch.randint(2**62, (), generator=random))
    there = torch.Generator(tensor.device).manual_seed(seed)
    return torch.randn(tensor.shape, generator=there, device=tensor.device)
