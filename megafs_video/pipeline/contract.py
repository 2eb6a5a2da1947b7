"""What the pipeline asks of a model, so that a fake can stand in for the networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from megafs_video.networks.dims import Dims
from megafs_video.values import Latents


class FaceModel(Protocol):
    """Encoder, transfer and generator of one model; each call runs in inference mode."""

    @property
    def name(self) -> str:
        """Its name, for the report."""
        ...

    @property
    def dims(self) -> Dims:
        """Its sizes."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it takes and gives tensors."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """What its networks compute in."""
        ...

    @property
    def engine(self) -> str:
        """What runs its networks."""
        ...

    @property
    def hashes(self) -> Mapping[str, str]:
        """sha256 of each weight file, by name."""
        ...

    def encode(self, pixels: Tensor) -> Latents:
        """Codes of aligned crops, float32 [N, 3, S, S] in [-1, 1]."""
        ...

    def transfer(self, source: Latents, target: Latents) -> Latents:
        """Codes with the source's (N = 1) identity and the rest of the target's."""
        ...

    def generate(self, latents: Latents) -> Tensor:
        """Pictures float32 [N, 3, R, R] in [-1, 1]."""
        ...
