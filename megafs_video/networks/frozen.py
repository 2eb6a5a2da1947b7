"""A published ONNX network as a frozen torch module, so that gradients flow through it.

Training needs derivatives of face recognition and landmarks with respect to the picture, which
an ONNX runtime does not give. Only the operators and settings that such networks use are known;
any other is refused by name when the module is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Step:
    """One operator: what it is, what it reads, what it makes, and its settings."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    settings: Mapping[str, Any]


def _convolve(step: Step, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    top, left, bottom, right = step.settings.get("pads", (0, 0, 0, 0))
    if (top, left) != (bottom, right):
        x = functional.pad(x, (left, right, top, bottom))
        top = left = 0
    return functional.conv2d(
        x,
        weight,
        bias,
        stride=tuple(step.settings.get("strides", (1, 1))),
        padding=(top, left),
        groups=step.settings.get("group", 1),
    )


def _normalise(
    step: Step, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
) -> Tensor:
    epsilon = step.settings.get("epsilon", 1e-5)
    return functional.batch_norm(x, mean, variance, scale, bias, training=False, eps=epsilon)


def _multiply_matrices(step: Step, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return functional.linear(x, weight if step.settings.get("transB") else weight.T, bias)


OPERATORS: Mapping[str, Callable[..., Tensor]] = {
    "Add": lambda _, a, b: a + b,
    "BatchNormalization": _normalise,
    "Conv": _convolve,
    "Flatten": lambda _, x: x.flatten(1),
    "Gemm": _multiply_matrices,
    "Mul": lambda _, a, b: a * b,
    "PRelu": lambda _, x, slope: functional.prelu(x, slope.flatten()),
    "Sub": lambda _, a, b: a - b,
}
# Settings that the operators above leave out, with the only value that they may have.
FIXED_SETTINGS: Mapping[str, Mapping[str, object]] = {
    "BatchNormalization": {"training_mode": 0},
    "Conv": {"auto_pad": b"NOTSET", "dilations": [1, 1]},
    "Flatten": {"axis": 1},
    "Gemm": {"alpha": 1.0, "beta": 1.0, "transA": 0},
}


def _check_known(step: Step) -> None:
    """ValueError unless the step is computed here exactly as ONNX means it."""
    if step.operator not in OPERATORS:
        raise ValueError(f"the graph uses {step.operator}, which FrozenNetwork does not know")
    for name, wanted in FIXED_SETTINGS.get(step.operator, {}).items():
        found = step.settings.get(name, wanted)
        if found != wanted:
            raise ValueError(
                f"{step.operator} has {name} {found!r}, but FrozenNetwork knows only {wanted!r}"
            )


class FrozenNetwork(nn.Module):
    """Runs the steps of a published graph; its weights are buffers that are never trained.

    steps: in the order in which they run. constants: the graph's weights by name.
    ValueError if an operator, or a setting of one, is not known.
    """

    def __init__(
        self, steps: Sequence[Step], constants: Mapping[str, Tensor], input_name: str
    ) -> None:
        super().__init__()
        for step in steps:
            _check_known(step)
        self.steps = tuple(steps)
        self.input_name = input_name
        # A buffer's name may hold no dot, and names in a published graph do.
        self.names = {name: f"constant_{index}" for index, name in enumerate(constants)}
        for name, value in constants.items():
            self.register_buffer(self.names[name], value, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The graph's input -> its last output, for any batch whatever the file was saved with."""
        values: dict[str, Tensor] = {self.input_name: x}
        for step in self.steps:
            inputs = [
                values[name] if name in values else self.get_buffer(self.names[name])
                for name in step.inputs
            ]
            values[step.output] = OPERATORS[step.operator](step, *inputs)
        return values[self.steps[-1].output]


@torch.no_grad()
def freeze(module: M) -> M:
    """The module in evaluation mode with nothing left to train."""
    return module.eval().requires_grad_(requires_grad=False)


def to_channels_last(module: M) -> M:
    """The module with its weights in channels-last order, the faster one for convolutions."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs
    return module


def _cut_window(pixels: Tensor, left: float, top: float, side: float) -> Tensor:
    """A square window, its place in units of the picture: [N, 3, S, S] -> [N, 3, W, W]."""
    size = pixels.shape[-1]
    left_pixels, top_pixels, side_pixels = (round(part * size) for part in (left, top, side))
    rows = slice(top_pixels, top_pixels + side_pixels)
    return pixels[:, :, rows, left_pixels : left_pixels + side_pixels]


class ArcFace(nn.Module):
    """Face recognition on FFHQ-aligned crops: pixels [N, 3, S, S] in [-1, 1] -> [N, 512].

    The published network wants ArcFace's 112 px crop. In an FFHQ crop the eyes and the mouth
    stand at fixed places, so one fixed window of the crop is that crop to within a few pixels.
    The embeddings have length 1.
    """

    # Least squares from the five points of 60 FFHQ photographs to ArcFace's template, in units
    # of the crop: embeddings then agree with five-point alignment to a cosine of 0.95.
    LEFT, TOP, SIDE = 0.1348, 0.1249, 0.7392

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def window(self, pixels: Tensor) -> Tensor:
        """The 112 px window that ArcFace reads: [N, 3, S, S] -> [N, 3, 112, 112]."""
        face = _cut_window(pixels, self.LEFT, self.TOP, self.SIDE)
        return functional.interpolate(
            face, (112, 112), mode="bilinear", align_corners=False, antialias=True
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels [N, 3, S, S] in [-1, 1] -> unit vectors [N, 512]."""
        return functional.normalize(self.network(self.window(pixels)), dim=1)


class Landmarks106(nn.Module):
    """InsightFace's 106 landmarks of an FFHQ-aligned crop, differentiable.

    pixels [N, 3, S, S] in [-1, 1] -> points [N, 106, 2] (x, y) in units of half a window.
    """

    # The published network wants a window 1.5 times the face's box; in an FFHQ crop that is
    # almost the whole crop.
    LEFT, TOP, SIDE = 0.04, 0.08, 0.92

    # Pairs of points whose offset tells an expression: lids, pupils and corners of the eyes,
    # inner lips, corners of the mouth and the nose above them.
    SPANS = (
        *((41, 36), (40, 33), (42, 37), (95, 90), (94, 87), (96, 91)),
        *((34, 35), (34, 39), (88, 89), (88, 93)),
        *((66, 54), (62, 60), (70, 57)),
        *((52, 62), (61, 62), (52, 77), (61, 83)),
    )

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """Points [N, 106, 2] in [-1, 1] of the window."""
        face = _cut_window(pixels, self.LEFT, self.TOP, self.SIDE)
        window = functional.interpolate(face, (192, 192), mode="bilinear", align_corners=False)
        points: Tensor = self.network(window * 127.5 + 127.5)
        return points.reshape(-1, 106, 2)
