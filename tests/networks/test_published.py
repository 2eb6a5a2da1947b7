"""Weights read off the published graphs: by a twin of the graph, and by OpenVINO itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from megafs_video.networks.dims import TINY, Dims
from megafs_video.networks.generator import Generator, StyleMapper
from megafs_video.networks.published import by_band, generator_state, style_mapper_state
from megafs_video.parts import build_generator, build_style_mapper
from megafs_video.values import Latents
from megafs_video.weights.fetch import ensure
from tests.tiny import check_close, random_latents

Array = npt.NDArray[Any]


class FakeGraph:
    """A graph in memory, wired as the published one is."""

    def __init__(self) -> None:
        self.constants: dict[str, Array] = {}
        self.feeding: dict[str, tuple[str, ...]] = {}
        self.random = np.random.default_rng(0)

    def inputs_of(self, layer_name: str) -> tuple[str, ...]:
        return self.feeding.get(layer_name, ())

    def users_of(self, layer_name: str) -> tuple[str, ...]:
        return tuple(name for name, inputs in self.feeding.items() if layer_name in inputs)

    def constant(self, name: str, *shape: int) -> str:
        self.constants[name] = self.random.normal(0, 0.5, shape).astype(np.float32)
        return name

    def node(self, name: str, *inputs: str) -> str:
        self.feeding[name] = inputs
        return name

    def modulation(self, layer: str, in_channels: int) -> str:
        weight = self.constant(f"{layer}.modulation.weight", in_channels, TINY.style_size)
        bias = self.constant(f"{layer}.modulation.bias", 1, in_channels)
        product = self.node(f"{layer}/matmul", "w", weight)
        style = self.node(f"{layer}/reshape", self.node(f"{layer}/add", product, bias), "shape")
        return self.node(f"{layer}/scale", style, self.constant(f"{layer}/scale-value"))

    def convolution(self, layer: str, in_channels: int, size: int, *, separable: bool) -> None:
        features = self.modulation(f"{layer}.conv", in_channels)
        if separable:
            depthwise = self.constant(f"{layer}.conv.weight_dw", in_channels, 1, 1, 3, 3)
            features = self.node(f"{layer}/depthwise", features, depthwise)
        side = 1 if separable else 3
        weight = self.constant(f"{layer}/folded", 8, in_channels, side, side)
        features = self.node(f"{layer}/convolve", features, weight)
        noise = self.constant(f"{layer}/noise", 1, 1, size, size)
        features = self.node(f"{layer}/add-noise", features, noise)
        self.node(f"{layer}/add-bias", features, self.constant(f"{layer}.bias", 1, 8, 1, 1))


def fake_generator_graph() -> FakeGraph:
    graph = FakeGraph()
    graph.constant("m.input.input", 1, 8, 4, 4)
    graph.convolution("m.conv1", 8, 4, separable=False)
    for index, size in enumerate((8, 16)):
        layer = f"m.layers.{index}"
        graph.constant(f"{layer}.up.modulation.weight", 8, TINY.style_size)
        graph.constant(f"{layer}.up.modulation.bias", 1, 8)
        graph.convolution(f"{layer}.conv1", 2, size, separable=True)
        graph.convolution(f"{layer}.conv2", 8, size, separable=True)
    graph.modulation("m.layers.1.to_img.conv", 8)
    graph.constant("m.layers.1.to_img.conv.weight", 12, 8, 1, 1)
    graph.constant("m.layers.1.to_img.bias", 1, 12, 1, 1)
    return graph


def published_haar(bands: Tensor) -> Tensor:
    """The published inverse transform: three differences of a channel side by side, times 1/2."""
    quarter = bands.shape[1] // 4
    picture = torch.empty(len(bands), quarter, 2 * bands.shape[2], 2 * bands.shape[3])
    for channel in range(quarter):
        low = bands[:, channel]
        rows, columns, diagonal = (bands[:, quarter + 3 * channel + band] for band in range(3))
        picture[:, channel, 0::2, 0::2] = (low + rows + columns + diagonal) / 2
        picture[:, channel, 0::2, 1::2] = (low + rows - columns - diagonal) / 2
        picture[:, channel, 1::2, 0::2] = (low - rows + columns - diagonal) / 2
        picture[:, channel, 1::2, 1::2] = (low - rows - columns + diagonal) / 2
    return picture


def published_picture(arrays: Mapping[str, Array], latents: Latents) -> Tensor:
    """A slow twin: the published graph, layer by layer as it is drawn."""
    c = {name: torch.from_numpy(array) for name, array in arrays.items()}
    styles = latents.styles

    def modulate(x: Tensor, layer: str, style: Tensor, scale: Tensor) -> Tensor:
        factors = style @ c[f"{layer}.modulation.weight"].T + c[f"{layer}.modulation.bias"]
        return x * (factors * scale)[:, :, None, None]

    def convolve(x: Tensor, layer: str, style: Tensor) -> Tensor:
        x = modulate(x, f"{layer}.conv", style, c[f"{layer}.conv/scale-value"])
        depthwise = c.get(f"{layer}.conv.weight_dw")
        if depthwise is not None:
            x = functional.conv2d(x, depthwise[:, 0], padding=1, groups=x.shape[1])
        weight = c[f"{layer}/folded"]
        x = functional.conv2d(x, weight, padding=weight.shape[2] // 2)
        return functional.leaky_relu(x + c[f"{layer}/noise"] + c[f"{layer}.bias"], 0.2)

    x = convolve(latents.constant, "m.conv1", styles[:, 0])
    for index in range(2):
        layer, first, second = f"m.layers.{index}", 2 * index + 1, 2 * index + 2
        x = published_haar(modulate(x, f"{layer}.up", styles[:, first], torch.ones(())))
        x = convolve(x, f"{layer}.conv1", styles[:, first])
        x = convolve(x, f"{layer}.conv2", styles[:, second])
    head = "m.layers.1.to_img"
    x = modulate(x, f"{head}.conv", styles[:, -1], c[f"{head}.conv/scale-value"])
    return published_haar(functional.conv2d(x, c[f"{head}.conv.weight"]) + c[f"{head}.bias"])


def test_bands_are_sorted_by_kind() -> None:
    names = ["low0", "low1", "row0", "column0", "diagonal0", "row1", "column1", "diagonal1"]
    found = [names[index] for index in by_band(torch.arange(8)).tolist()]
    assert found == [
        *("low0", "low1", "row0", "row1"),
        *("column0", "column1", "diagonal0", "diagonal1"),
    ]


def test_sorting_keeps_the_rest_of_each_channel_together() -> None:
    channels = torch.arange(8.0)[:, None].expand(8, 3)
    assert torch.equal(by_band(channels), by_band(torch.arange(8.0))[:, None].expand(8, 3))


@pytest.mark.parametrize("count", [1, 2])
def test_the_generator_draws_what_the_published_graph_says(count: int) -> None:
    graph = fake_generator_graph()
    generator = Generator(TINY)
    generator.load_state_dict(generator_state(graph))
    latents = random_latents(count)
    wanted = published_picture(graph.constants, latents)
    with torch.no_grad():
        found = generator(latents)
    check_close(found, wanted)
    assert torch.equal(generator.constant, torch.from_numpy(graph.constants["m.input.input"]))


def test_a_graph_that_lacks_a_layer_is_refused_by_its_name() -> None:
    graph = fake_generator_graph()
    del graph.constants["m.conv1.bias"]
    with pytest.raises(KeyError, match=r"m\.conv1\.bias"):
        generator_state(graph)


def test_the_mapping_network_takes_matrices_and_biases_in_order() -> None:
    graph = FakeGraph()
    for index in range(2):
        graph.constant(f"weight{index}", 8, 8)
        graph.constant(f"bias{index}", 8)
    graph.constant("slope", 1)
    graph.constant("epsilon", 1, 1)
    mapper = StyleMapper(8, num_layers=2)
    mapper.load_state_dict(style_mapper_state(graph))
    for index in range(2):
        wanted = torch.from_numpy(graph.constants[f"weight{index}"])
        assert torch.equal(mapper.state_dict()[f"layers.{index}.weight"], wanted)


def test_a_mapping_network_with_a_bias_too_few_is_refused() -> None:
    graph = FakeGraph()
    graph.constant("weight", 8, 8)
    with pytest.raises(ValueError, match="shorter"):
        style_mapper_state(graph)


def run_openvino(xml: Path, codes: Array) -> Array:
    """The published graph's output, in float32 (OpenVINO may choose bfloat16 by itself)."""
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = openvino.Core().compile_model(str(xml), "CPU", settings)
    output: Array = compiled(codes)[0]
    return output


@pytest.mark.e2e
def test_the_torch_networks_match_the_published_graphs_run_by_openvino(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Imported with it, OpenVINO starts a thread that reports to its makers.
    monkeypatch.setitem(sys.modules, "openvino_telemetry", None)
    networks, kinds = ("synthesis", "mapping"), ("xml", "bin")
    files = ensure(f"generator-{network}-{kind}" for network in networks for kind in kinds)
    synthesis_xml, synthesis_bin, mapping_xml, mapping_bin = files.values()
    dims = Dims()
    generator = build_generator(synthesis_xml, synthesis_bin, dims)
    mapper = build_style_mapper(mapping_xml, mapping_bin, dims)
    for seed in range(2):
        noise = np.random.default_rng(seed).normal(size=(1, 512)).astype(np.float32)
        wanted_codes = run_openvino(mapping_xml, noise)
        wanted = run_openvino(synthesis_xml, wanted_codes)
        with torch.inference_mode():
            codes = mapper(torch.from_numpy(noise))
            styles = torch.from_numpy(wanted_codes)[:, None].repeat(1, dims.num_styles, 1)
            pixels = generator(Latents(generator.constant, styles))
        assert pixels.shape == wanted.shape == (1, 3, 1024, 1024)
        # Eight matrix products, and twenty convolutions of up to 4608 terms, in float32.
        assert np.abs(codes.numpy() - wanted_codes).max() < 1e-4
        assert np.abs(pixels.numpy() - wanted).max() < 1e-3
