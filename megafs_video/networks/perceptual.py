"""LPIPS, a distance between pictures that follows human judgement (Zhang et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class Lpips(nn.Module):
    """AlexNet features of two pictures, compared layer by layer with learned weights."""

    mean: Tensor  # [1, 3, 1, 1]
    deviation: Tensor  # [1, 3, 1, 1]

    def __init__(self, trunk: Sequence[nn.Conv2d], weights: Sequence[Tensor]) -> None:
        super().__init__()
        self.trunk = nn.ModuleList(trunk)
        self.weights = nn.ParameterList(nn.Parameter(weight) for weight in weights)
        self.register_buffer("mean", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))

    def activations(self, pixels: Tensor) -> list[Tensor]:
        """pixels [N, 3, H, W] in [-1, 1] -> what each of the five layers answers."""
        x = (pixels - self.mean) / self.deviation
        found = []
        for depth, layer in enumerate(self.trunk):
            if depth in (1, 2):
                x = functional.max_pool2d(x, 3, 2)
            x = functional.relu(layer(x))
            found.append(x)
        return found

    def features(self, pixels: Tensor) -> list[Tensor]:
        """pixels [N, 3, H, W] in [-1, 1] -> unit-length features of five layers."""
        return [
            x * torch.rsqrt(x.square().sum(dim=1, keepdim=True) + 1e-10)
            for x in self.activations(pixels)
        ]

    def summary(self, pixels: Tensor) -> Tensor:
        """The last layer's answers, averaged over the picture: [N, 3, H, W] -> [N, 256]."""
        return self.activations(pixels)[-1].mean(dim=(2, 3))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Distances [N] between pictures [N, 3, H, W] in [-1, 1]; 0 for equal ones."""
        total = first.new_zeros(first.shape[0])
        pairs = zip(self.features(first), self.features(second), self.weights, strict=True)
        for one, other, weight in pairs:
            step = (one - other).square() * weight
            total = total + step.sum(dim=1).mean(dim=(1, 2))
        return total
