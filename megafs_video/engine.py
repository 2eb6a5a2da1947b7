"""The paper's networks compiled by OpenVINO for the CPU: the same numbers, several times sooner.

OpenVINO is an optional extra. A network is exported once, when the model is loaded, for one face
at a time: a batch gains little on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from megafs_video.networks.hierfe import HieRFE
from megafs_video.networks.stylegan2 import StyleGan2
from megafs_video.networks.tracing import Pixels, trace
from megafs_video.values import Latents

Run = Callable[..., list[Tensor]]
HINTS = {torch.float32: "f32", torch.bfloat16: "bf16"}


class Codes(nn.Module):
    """A network from pixels to W++ with tensors on both sides, as a graph wants it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """pixels [N, 3, 256, 256] -> C [N, 512, 4, 4] and L [N, L, 512]."""
        latents: Latents = self.network(pixels)
        return latents.constant, latents.styles


class EngineEncoder(nn.Module):
    """HieRFE as a compiled network."""

    def __init__(self, encoder: HieRFE, dtype: torch.dtype, num_threads: int) -> None:
        super().__init__()
        size = encoder.dims.crop_size
        example = (torch.zeros(1, 3, size, size),)
        self.run = compile_network(Codes(encoder), example, dtype, num_threads)
        self.none = Latents(  # of nobody
            torch.zeros(0, encoder.dims.constant_channels, 4, 4),
            torch.zeros(0, encoder.dims.num_styles, encoder.dims.style_size),
        )

    def forward(self, pixels: Tensor) -> Latents:
        """pixels [N, 3, 256, 256] in [-1, 1] -> codes of N faces."""
        faces = (self.run(pixels[index : index + 1]) for index in range(len(pixels)))
        return Latents.concat([self.none, *(Latents(*face) for face in faces)])


class EngineGenerator(nn.Module):
    """StyleGAN2 as a compiled network."""

    def __init__(self, generator: StyleGan2, dtype: torch.dtype, num_threads: int) -> None:
        super().__init__()
        dims = generator.dims
        example = (
            torch.zeros(1, dims.constant_channels, 4, 4),
            torch.zeros(1, dims.num_styles, dims.style_size),
        )
        self.run = compile_network(Pixels(generator), example, dtype, num_threads)
        self.none = torch.zeros(0, 3, dims.resolution, dims.resolution)  # the picture of nobody

    def forward(self, latents: Latents) -> Tensor:
        """constant [N, 512, 4, 4], styles [N, L, 512] -> pixels [N, 3, R, R], about [-1, 1]."""
        faces = (latents[index : index + 1] for index in range(len(latents)))
        return torch.cat([self.none, *(self.run(f.constant, f.styles)[0] for f in faces)])


def compile_network(
    network: nn.Module, example: tuple[Tensor, ...], dtype: torch.dtype, num_threads: int
) -> Run:
    """A function of float32 tensors of the example's shapes that computes what the network does."""
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    # The front end itself: openvino.convert_model would report its use over the network.
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(trace(network, example))  # which nothing else keeps alive
    graph = frontend.convert(frontend.load(decoder))
    for node, tensor in zip(graph.inputs, example, strict=True):
        node.get_node().set_partial_shape(openvino.PartialShape(list(tensor.shape)))
    graph.validate_nodes_and_infer_types()
    settings = {
        "INFERENCE_PRECISION_HINT": HINTS[dtype],  # left alone it takes bfloat16 on some machines
        "INFERENCE_NUM_THREADS": num_threads,
    }
    compiled = openvino.Core().compile_model(graph, "CPU", settings)

    def run(*inputs: Tensor) -> list[Tensor]:
        arrays = [each.numpy() for each in inputs]
        # The outputs are the engine's own until it runs again.
        outputs: Sequence[Any] = compiled(arrays, share_inputs=True, share_outputs=True).to_tuple()
        return [torch.from_numpy(output.copy()) for output in outputs]

    return run
