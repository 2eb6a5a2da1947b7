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

from megafs_video.networks.encoder import Encoder, FaceReader, Reading
from megafs_video.networks.frozen import Landmarks106
from megafs_video.networks.generator import Generator
from megafs_video.networks.halves import Halves
from megafs_video.networks.transfer import FaceTransfer
from megafs_video.values import Latents


class Seen(nn.Module):
    """What an encoder reads from pixels, with tensors on both sides, as a graph wants it."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """pixels [N, 3, 256, 256] -> the tensors of a ``Reading``."""
        return tuple(self.encoder.read(pixels))


class Points(nn.Module):
    """Landmarks and what else an encoder hears beside them."""

    def __init__(self, encoder: Encoder, landmarks: Landmarks106) -> None:
        super().__init__()
        self.encoder = encoder
        self.landmarks = landmarks

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels [N, 3, 256, 256] -> points [N, K + S, 2]."""
        points = self.encoder.points(pixels, self.landmarks(pixels))
        assert points is not None
        return points


class Concluded(nn.Module):
    """What a reader makes of what was seen and heard."""

    def __init__(self, reader: FaceReader) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, pixels: Tensor, *found: Tensor) -> tuple[Tensor, Tensor]:
        """pixels [N, 3, 256, 256], what ``Seen`` found, what is heard -> C and L [N, L, 512]."""
        seen, heard = Reading(*found[:3]), iter(found[3:])
        reader = self.reader
        identity, points = (
            None if network is None else next(heard)
            for network in (reader.arcface, reader.landmarks)
        )
        latents = reader.encoder.conclude(pixels, seen, identity, points, reader.generator)
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
        seen = Seen(reader.eval().encoder)
        heard: list[nn.Module] = [] if reader.arcface is None else [reader.arcface]
        if reader.landmarks is not None:
            heard.append(Points(reader.encoder, reader.landmarks))
        with torch.no_grad():
            found = (*seen(pixels), *(network(pixels) for network in heard))
        self.seen = freeze_graph(trace(seen, (pixels,)))
        self.heard = [freeze_graph(trace(network, (pixels,))) for network in heard]
        self.concluded = freeze_graph(trace(Concluded(reader), (pixels, *found)))
        self.halves = Halves()
        self.generator = freeze_graph(trace(Pixels(generator), (constant, styles)))
        codes = (constant, styles, constant, styles)
        self.transfer = None if transfer is None else freeze_graph(trace(Moved(transfer), codes))

    def read(self, pixels: Tensor) -> Latents:
        """pixels float32 [1, 3, 256, 256] in [-1, 1] -> W++ of one face."""

        def see() -> tuple[Tensor, ...]:
            with unwatched():
                seen: tuple[Tensor, ...] = self.seen(pixels)
                return seen

        def hear() -> list[Tensor]:
            with unwatched():
                return [network(pixels) for network in self.heard]

        seen, heard = self.halves.both(see, hear)
        with unwatched():
            constant, styles = self.concluded(pixels, *seen, *heard)
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
