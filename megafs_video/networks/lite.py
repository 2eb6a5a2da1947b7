"""A TensorFlow Lite graph as the steps that a ``FrozenNetwork`` runs.

Those have ONNX's names, and pictures are [N, C, H, W] instead of [N, H, W, C].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from megafs_video.networks.frozen import Step

SAME = 0  # TensorFlow's way of padding that keeps the size


class ReadOperator(Protocol):
    """One step, and the numbers of the tensors that it reads and makes."""

    @property
    def name(self) -> str:
        """As TensorFlow calls it: "CONV_2D", …"""

    @property
    def inputs(self) -> Sequence[int]:
        """Tensors that it reads."""

    @property
    def output(self) -> int:
        """The tensor that it makes."""

    @property
    def settings(self) -> Mapping[str, int]:
        """How it works."""


class ReadGraph(Protocol):
    """What is needed of a graph as ``weights.tflite`` reads it."""

    @property
    def operators(self) -> Sequence[ReadOperator]:
        """In the order in which they run."""

    @property
    def shapes(self) -> Sequence[Sequence[int]]:
        """Of every tensor."""

    @property
    def constants(self) -> Mapping[int, npt.NDArray[Any]]:
        """Tensors that are stored."""

    @property
    def inputs(self) -> Sequence[int]:
        """Tensors that the graph reads."""

    @property
    def outputs(self) -> Sequence[int]:
        """Tensors that it answers."""


def steps_of(graph: ReadGraph) -> tuple[list[Step], dict[str, Tensor], str]:
    """Steps that lead to the first output, the weights that they read, the input's name.

    ValueError if an operator, or a setting of one, is not known here.
    """
    needed = {graph.outputs[0]}
    operators: list[ReadOperator] = []
    for operator in reversed(graph.operators):
        if operator.output in needed:
            needed.update(operator.inputs)
            operators.append(operator)
    constants = {
        index: torch.from_numpy(np.array(array, np.float32 if array.dtype.kind == "f" else None))
        for index, array in graph.constants.items()
        if index in needed
    }
    steps: list[Step] = []
    weights: dict[str, Tensor] = {}
    for operator in reversed(operators):
        if operator.name == "DEQUANTIZE":  # 16-bit floats, which are constants of 32 already
            constants[operator.output] = _constant(operator.inputs[0], constants)
            continue
        if operator.settings.get("activation", 0) != 0:
            raise ValueError(f"{operator.name} has an activation of its own, which is not known")
        dilation = {operator.settings.get(name, 1) for name in ("dilation_x", "dilation_y")}
        if dilation != {1}:
            raise ValueError(f"{operator.name} is dilated, which is not known here")
        if operator.name not in CONVERTED:
            raise ValueError(f"the graph uses {operator.name}, which is not known here")
        step, read = CONVERTED[operator.name](operator, graph, constants)
        steps.append(step)
        weights.update(read)
    if not steps or steps[-1].output != str(graph.outputs[0]):
        raise ValueError("its answer is not made by a step")
    return steps, weights, str(graph.inputs[0])


def _constant(index: int, constants: Mapping[int, Tensor], num_dims: int | None = None) -> Tensor:
    """A stored tensor; ValueError if it is not stored or has other dimensions."""
    if index not in constants:
        raise ValueError(f"tensor {index} is not stored, as it should be")
    found = constants[index]
    if num_dims not in (None, found.dim()):
        raise ValueError(f"tensor {index} has {found.dim()} dimensions, wanted {num_dims}")
    return found


def _pads(operator: ReadOperator, graph: ReadGraph, kernel: tuple[int, int]) -> list[int]:
    """Top, left, bottom, right: TensorFlow's SAME puts what is odd at the end."""
    if operator.settings["padding"] != SAME:
        return [0, 0, 0, 0]
    sizes = graph.shapes[operator.inputs[0]][1:3]
    strides = (operator.settings["stride_y"], operator.settings["stride_x"])
    total = [
        max(0, (-(-size // stride) - 1) * stride + reach - size)
        for size, stride, reach in zip(sizes, strides, kernel, strict=True)
    ]
    return [total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2]


Converted = tuple[Step, dict[str, Tensor]]


def _convolution(
    operator: ReadOperator, graph: ReadGraph, constants: Mapping[int, Tensor]
) -> Converted:
    weight = _constant(operator.inputs[1], constants, 4)
    groups = 1
    if operator.name == "DEPTHWISE_CONV_2D":  # [1, h, w, C]
        groups = graph.shapes[operator.inputs[0]][3]
        weight = weight.permute(3, 0, 1, 2)
    else:  # [out, h, w, in]
        weight = weight.permute(0, 3, 1, 2)
    kernel = (weight.shape[2], weight.shape[3])
    settings = {
        "pads": _pads(operator, graph, kernel),
        "strides": [operator.settings["stride_y"], operator.settings["stride_x"]],
        "group": groups,
    }
    names = tuple(str(index) for index in operator.inputs)
    weights = {names[1]: weight.contiguous(), names[2]: _constant(operator.inputs[2], constants, 1)}
    return Step("Conv", names, str(operator.output), settings), weights


def _slopes(operator: ReadOperator, graph: ReadGraph, constants: Mapping[int, Tensor]) -> Converted:
    names = (str(operator.inputs[0]), str(operator.inputs[1]))
    step = Step("PRelu", names, str(operator.output), {})
    return step, {names[1]: _constant(operator.inputs[1], constants).flatten()}


def _sum(operator: ReadOperator, graph: ReadGraph, constants: Mapping[int, Tensor]) -> Converted:
    names = tuple(str(index) for index in operator.inputs)
    return Step("Add", names, str(operator.output), {}), {}


def _maximum(
    operator: ReadOperator, graph: ReadGraph, constants: Mapping[int, Tensor]
) -> Converted:
    kernel = (operator.settings["height"], operator.settings["width"])
    settings = {
        "kernel_shape": list(kernel),
        "strides": [operator.settings["stride_y"], operator.settings["stride_x"]],
        "pads": _pads(operator, graph, kernel),
    }
    return Step("MaxPool", (str(operator.inputs[0]),), str(operator.output), settings), {}


def _padding(
    operator: ReadOperator, graph: ReadGraph, constants: Mapping[int, Tensor]
) -> Converted:
    paddings = _constant(operator.inputs[1], constants, 2)  # of each dimension, before and after
    before, after = paddings[[0, 3, 1, 2]].T.tolist()
    step = Step(
        "Pad", (str(operator.inputs[0]),), str(operator.output), {"pads": [*before, *after]}
    )
    return step, {}


Converter = Callable[[ReadOperator, ReadGraph, Mapping[int, Tensor]], Converted]
CONVERTED: Mapping[str, Converter] = {
    "ADD": _sum,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "MAX_POOL_2D": _maximum,
    "PAD": _padding,
    "PRELU": _slopes,
}
