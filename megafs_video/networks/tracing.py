"""A network as one graph, for inputs of one shape: its steps run with no Python between them.

The numbers are the same. On a CPU, where a face takes some four hundred small steps to read, that
saves a sixth of the time, and of the time that it takes to be drawn a twelfth.
"""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from megafs_video.networks.encoder import FaceReader
from megafs_video.networks.generator import Generator
from megafs_video.networks.transfer import FaceTransfer
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


class Pixels(nn.Module):
    """A generator with tensors on both sides."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, constant: Tensor, styles: Tensor) -> Tensor:
        """C [N, 512, 4, 4], L [N, L, 512] -> pixels [N, 3, R, R], about [-1, 1]."""
        pixels: Tensor = self.generator(Latents(constant, styles))
        return pixels


class Moved(nn.Module):
    """A swapper with tensors on both sides."""

    def __init__(self, transfer: FaceTransfer) -> None:
        super().__init__()
        self.transfer = transfer

    def forward(
        self, source_constant: Tensor, source_styles: Tensor, constant: Tensor, styles: Tensor
    ) -> tuple[Tensor, Tensor]:
        """W++ of N sources and N targets -> C and L of N swapped faces."""
        source, target = Latents(source_constant, source_styles), Latents(constant, styles)
        swapped: Latents = self.transfer(source, target)
        return swapped.constant, swapped.styles


def trace(network: nn.Module, example: tuple[Tensor, ...]) -> Any:
    """The graph of a network in evaluation mode, for inputs of the example's shapes."""
    with warnings.catch_warnings(), torch.no_grad():
        # torch would rather export; a trace takes a fifth of the time and no compiler.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Sizes that are read in Python stay as they are.
        warnings.simplefilter("ignore", TracerWarning)
        return torch.jit.trace(network.eval(), example, check_trace=False)  # type: ignore[no-untyped-call]


class Traced:
    """What a ``FaceReader``, FTM (if there is one) and a generator do to one face."""

    def __init__(
        self, reader: FaceReader, transfer: FaceTransfer | None, generator: Generator
    ) -> None:
        dims = generator.dims
        pixels = torch.zeros(1, 3, dims.crop_size, dims.crop_size)
        constant = torch.zeros(1, dims.constant_channels, 4, 4)
        styles = torch.zeros(1, dims.num_styles, dims.style_size)
        self.reader = freeze_graph(trace(Codes(reader), (pixels,)))
        self.generator = freeze_graph(trace(Pixels(generator), (constant, styles)))
        codes = (constant, styles, constant, styles)
        self.transfer = None if transfer is None else freeze_graph(trace(Moved(transfer), codes))

    def read(self, pixels: Tensor) -> Latents:
        """pixels float32 [1, 3, 256, 256] in [-1, 1] -> W++ of one face."""
        with unwatched():
            constant, styles = self.reader(pixels)
        return Latents(constant, styles)

    def move(self, source: Latents, target: Latents) -> Latents:
        """W++ of one source and one target, float32 -> W++ of the swapped face (paper §3.2)."""
        assert self.transfer is not None
        codes = (source.constant, source.styles, target.constant, target.styles)
        with unwatched():
            constant, styles = self.transfer(*codes)
        return Latents(constant, styles)

    def draw(self, latents: Latents) -> Tensor:
        """W++ of one face, float32 -> pixels [1, 3, 1024, 1024], about [-1, 1]."""
        with unwatched():
            pixels: Tensor = self.generator(latents.constant, latents.styles)
        return pixels


def freeze_graph(graph: Any) -> Any:
    """The graph with its weights as constants."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.freeze(graph)


def unwatched() -> AbstractContextManager[None]:
    """torch would watch the first two calls, at four times the time, and gain nothing."""
    watched: AbstractContextManager[None] = torch.jit.optimized_execution(  # type: ignore[attr-defined]
        should_optimize=False
    )
    return watched
