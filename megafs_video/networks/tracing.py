"""A network as one graph, for inputs of one shape: its steps run with no Python between them.

The numbers are the same. On a CPU, where a face takes some four hundred small steps to read, that
is a sixth of the time.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from megafs_video.networks.encoder import FaceReader
from megafs_video.values import Latents


class Codes(nn.Module):
    """A network from pixels to W++ with tensors on both sides, as a graph wants it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """pixels [N, 3, 256, 256] -> C [N, 512, 4, 4] and L [N, L, 512]."""
        latents: Latents = self.network(pixels)
        return latents.constant, latents.styles


def trace(network: nn.Module, example: tuple[Tensor, ...]) -> Any:
    """The graph of a network in evaluation mode, for inputs of the example's shapes."""
    with warnings.catch_warnings(), torch.no_grad():
        # torch would rather export; a trace takes a fifth of the time and no compiler.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Sizes that are read in Python stay as they are.
        warnings.simplefilter("ignore", TracerWarning)
        return torch.jit.trace(network.eval(), example, check_trace=False)  # type: ignore[no-untyped-call]


class TracedReader:
    """What a ``FaceReader`` does to one face."""

    def __init__(self, reader: FaceReader) -> None:
        size = reader.encoder.dims.crop_size
        example = torch.zeros(1, 3, size, size).to(memory_format=torch.channels_last)
        graph = trace(Codes(reader), (example,))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self.graph = torch.jit.freeze(graph)

    def __call__(self, pixels: Tensor) -> Latents:
        """pixels float32 [1, 3, 256, 256] in [-1, 1] -> W++ of one face."""
        # torch would watch the first two calls, at four times the time, and gain nothing.
        with torch.jit.optimized_execution(should_optimize=False):  # type: ignore[attr-defined]
            constant, styles = self.graph(pixels)
        return Latents(constant, styles)
