"""State dicts for our modules, read off published graphs; pure functions of arrays.

A graph is anything with ``constants`` (arrays by layer name), ``inputs_of(name)`` (the names
of the layers that feed a layer, in port order) and ``users_of(name)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


class PublishedGraph(Protocol):
    """What a reader of a published file offers."""

    @property
    def constants(self) -> Mapping[str, npt.NDArray[Any]]:
        """Arrays by the name of their layer."""

    def inputs_of(self, layer_name: str) -> tuple[str, ...]:
        """Names of the layers that feed ``layer_name``, in port order."""

    def users_of(self, layer_name: str) -> tuple[str, ...]:
        """Names of the layers that read ``layer_name``."""


def _tensor(array: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def generator_state(graph: PublishedGraph) -> dict[str, Tensor]:
    """The state dict of ``Generator`` from MobileStyleGAN's published synthesis network.

    Raises KeyError with the first layer that the graph lacks.
    """
    constants = graph.constants
    num_blocks = sum(name.endswith(".up.modulation.weight") for name in constants)
    state = {"constant": _tensor(constants["m.input.input"])}
    state |= _convolution(graph, "m.conv1", "first")
    for index in range(num_blocks):
        layer, block = f"m.layers.{index}", f"blocks.{index}"
        weight = _tensor(constants[f"{layer}.up.modulation.weight"])
        bias = _tensor(constants[f"{layer}.up.modulation.bias"]).flatten()
        state[f"{block}.up.weight"] = 0.5 * by_band(weight)
        state[f"{block}.up.bias"] = 0.5 * by_band(bias)
        before = f"blocks.{index - 1}.second" if index else "first"
        for name in ("weight", "bias"):
            key = f"{before}.convolution.{name}"
            state[key] = by_band(state[key])
        state |= _convolution(graph, f"{layer}.conv1", f"{block}.first")
        state |= _convolution(graph, f"{layer}.conv2", f"{block}.second")
    head = f"m.layers.{num_blocks - 1}.to_img"
    state |= _modulation(graph, f"{head}.conv", "picture")
    weight = _tensor(constants[f"{head}.conv.weight"])
    bias = _tensor(constants[f"{head}.bias"]).flatten()
    state["picture.convolution.weight"] = 0.5 * by_band(weight)
    state["picture.convolution.bias"] = 0.5 * by_band(bias)
    return state


def by_band(channels: Tensor) -> Tensor:
    """Reorder dimension 0 for ``inverse_haar``: the low band, then each difference band.

    The published graph keeps the three differences of a channel side by side.

    >>> by_band(torch.arange(8)).tolist()
    [0, 1, 2, 5, 3, 6, 4, 7]
    """
    quarter = channels.shape[0] // 4
    bands = [channels[quarter + band :: 3] for band in range(3)]
    return torch.cat((channels[:quarter], *bands))


def _modulation(graph: PublishedGraph, layer: str, module: str) -> dict[str, Tensor]:
    """The style's linear layer with the constant that scales it multiplied in."""
    weight = graph.constants[f"{layer}.modulation.weight"]
    bias = graph.constants[f"{layer}.modulation.bias"]
    (addition,) = graph.users_of(f"{layer}.modulation.bias")
    (reshape,) = graph.users_of(addition)
    (product,) = graph.users_of(reshape)
    scale = next(graph.constants[n] for n in graph.inputs_of(product) if n in graph.constants)
    return {
        f"{module}.modulation.weight": _tensor(weight * scale.item()),
        f"{module}.modulation.bias": _tensor(bias * scale.item()).flatten(),
    }


def _convolution(graph: PublishedGraph, layer: str, module: str) -> dict[str, Tensor]:
    """One modulated convolution: weights, bias, and the noise already times its strength."""
    state = _modulation(graph, f"{layer}.conv", module)
    (bias_addition,) = graph.users_of(f"{layer}.bias")
    noise_addition = next(
        name for name in graph.inputs_of(bias_addition) if name not in graph.constants
    )
    convolution, noise = graph.inputs_of(noise_addition)
    weight = graph.inputs_of(convolution)[1]
    state[f"{module}.noise"] = _tensor(graph.constants[noise])
    state[f"{module}.convolution.weight"] = _tensor(graph.constants[weight])
    state[f"{module}.convolution.bias"] = _tensor(graph.constants[f"{layer}.bias"]).flatten()
    depthwise = graph.constants.get(f"{layer}.conv.weight_dw")
    if depthwise is not None:
        state[f"{module}.depthwise.weight"] = _tensor(depthwise.reshape(-1, 1, 3, 3))
    return state


def style_mapper_state(graph: PublishedGraph) -> dict[str, Tensor]:
    """The state dict of ``StyleMapper`` from MobileStyleGAN's published mapping network."""
    state: dict[str, Tensor] = {}
    # The file lists its layers in order, and only these constants are square or of one row.
    matrices = [array for array in graph.constants.values() if array.ndim == 2 and array.size > 1]
    biases = [array for array in graph.constants.values() if array.ndim == 1 and array.size > 1]
    for index, (matrix, bias) in enumerate(zip(matrices, biases, strict=True)):
        state[f"layers.{index}.weight"] = _tensor(matrix)
        state[f"layers.{index}.bias"] = _tensor(bias)
    return state
