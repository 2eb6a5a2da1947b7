"""Networks of tiny sizes with random weights, and codes for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from megafs_video.networks.dims import TINY, Dims
from megafs_video.networks.frozen import ArcFace, Landmarks106, Mesh478, SFace, freeze
from megafs_video.networks.perceptual import Lpips
from megafs_video.values import Latents

M = TypeVar("M", bound=nn.Module)

WITH_IDENTITY = replace(TINY, identity_size=6)
WITH_ALL = replace(WITH_IDENTITY, num_landmarks=106, num_spans=30, num_corrections=2)


@torch.no_grad()
def shaken(module: M, amount: float = 0.2, seed: int = 0) -> M:
    """The module in evaluation mode, its weights and buffers moved off their fresh values.

    A layer that starts at zero, or a fresh batch norm, would hide a mistake.
    """
    random = torch.Generator().manual_seed(seed)
    for weight in module.parameters():
        weight.add_(amount * torch.randn(weight.shape, generator=random))
    for buffer in module.buffers():
        if buffer.is_floating_point():  # variances and scales must stay positive
            buffer.add_(amount * torch.rand(buffer.shape, generator=random))
    return module.eval()


def check_close(found: Tensor, wanted: Tensor) -> None:
    """Equal to a hundred-thousandth of the largest value: float32 sums in another order."""
    torch.testing.assert_close(
        found, wanted, atol=1e-5 * float(wanted.detach().abs().max()), rtol=0
    )


def random_latents(count: int, dims: Dims = TINY, seed: int = 0) -> Latents:
    """Codes of ``count`` faces."""
    random = torch.Generator().manual_seed(seed)
    return Latents(
        torch.randn(count, dims.constant_channels, 4, 4, generator=random),
        torch.randn(count, dims.num_styles, dims.style_size, generator=random),
    )


def random_pixels(count: int, size: int, seed: int = 0) -> Tensor:
    """Pictures [N, 3, S, S] in [-1, 1]."""
    random = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(count, 3, size, size, generator=random) - 1


def tiny_arcface(size: int = 6) -> ArcFace:
    """Face recognition with embeddings of ``size`` numbers."""
    torch.manual_seed(0)
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, size))
    return freeze(ArcFace(pooled))


def tiny_sface() -> SFace:
    """Another face recognition, with embeddings of another length."""
    torch.manual_seed(4)
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 5))
    return freeze(SFace(pooled))


def tiny_landmarks() -> Landmarks106:
    """Landmarks that follow the colours of the picture."""
    torch.manual_seed(1)
    points = nn.Linear(48, 212)
    nn.init.normal_(points.weight, std=1e-3)  # it reads 0..255
    return freeze(Landmarks106(nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), points)))


def tiny_mesh() -> Mesh478:
    """A mesh that follows the colours of the picture."""
    torch.manual_seed(3)
    points = nn.Linear(48, 3 * 478)
    return freeze(Mesh478(nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), points)))


def tiny_lpips() -> Lpips:
    """A perceptual distance of two layers."""
    torch.manual_seed(2)
    trunk = [nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(4, 4, 3)]
    return freeze(Lpips(trunk, [torch.ones(4, 1, 1), torch.ones(4, 1, 1)]))
