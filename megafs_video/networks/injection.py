"""ID Injection, the paper's ablation of FTM (Fig. 8, Table 5): the source modulates the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from megafs_video.networks.dims import Dims
from megafs_video.networks.transfer import CodewiseLinear
from megafs_video.values import Latents


class InjectionLayer(nn.Module):
    """Linear(BN(x)·(1 + γ) + β), with γ and β read off the source, as in SPADE."""

    centre: Tensor  # [H, 1, 512], the batch norm's mean
    gain: Tensor  # [H, 1, 512], one over its deviation

    def __init__(self, num_codes: int, size: int) -> None:
        super().__init__()
        self.seen = CodewiseLinear(num_codes, size, size)
        self.gamma = CodewiseLinear(num_codes, size, size)
        self.beta = CodewiseLinear(num_codes, size, size)
        self.out = CodewiseLinear(num_codes, size, size)
        self.register_buffer("centre", torch.zeros(num_codes, 1, size))
        self.register_buffer("gain", torch.ones(num_codes, 1, size))

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        """x, source [H, N, 512] -> [H, N, 512]."""
        seen = torch.relu(self.seen(source))
        normal = (x - self.centre) * self.gain
        codes: Tensor = self.out(normal * (1 + self.gamma(seen)) + self.beta(seen))
        return codes


class IdInjection(nn.Module):
    """Two injection layers a high code, and a short cut around them; all codes at once."""

    layers: Sequence[InjectionLayer]  # a ModuleList, which torch does not type by its members

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.dims = dims
        layers = nn.ModuleList(InjectionLayer(dims.num_high, dims.style_size) for _ in range(2))
        self.layers = cast("Sequence[InjectionLayer]", layers)

    def forward(self, source: Latents, target: Latents) -> Latents:
        """Source of one face or N, target of N -> W++ of N swapped faces."""
        num_low = self.dims.num_low
        kept, moved = target.styles[:, :num_low], target.styles[:, num_low:].transpose(0, 1)
        identity = source.styles[:, num_low:].transpose(0, 1)
        x = moved  # [H, N, 512]
        for layer in self.layers:
            # Slope 1, so no activation at all: the released weights were trained this way.
            x = layer(x, identity)
        return Latents(target.constant, torch.cat((kept, (x + moved).transpose(0, 1)), dim=1))
