"""A published ONNX network as a frozen torch module, so that gradients flow through it.

Training needs derivatives of face recognition and landmarks with respect to the picture, which
an ONNX runtime does not give. Only the operators and settings that such networks use are known;
any other is refused by name when the module is built.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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


Operation = Callable[..., Tensor]  # of the step's inputs


def _convolution(settings: Mapping[str, Any]) -> Operation:
    top, left, bottom, right = settings.get("pads", (0, 0, 0, 0))
    stride, groups = tuple(settings.get("strides", (1, 1))), settings.get("group", 1)
    is_even = (top, left) == (bottom, right)
    padding = (top, left) if is_even else (0, 0)

    def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if not is_even:
            x = functional.pad(x, (left, right, top, bottom))
        return torch.conv2d(x, weight, bias, stride, padding, groups=groups)

    return convolve


def _normalisation(settings: Mapping[str, Any]) -> Operation:
    epsilon = settings.get("epsilon", 1e-5)
    return lambda x, scale, bias, mean, variance: functional.batch_norm(
        x, mean, variance, scale, bias, training=False, eps=epsilon
    )


def _matrix_product(settings: Mapping[str, Any]) -> Operation:
    if settings.get("transB"):
        return functional.linear
    return lambda x, weight, bias: functional.linear(x, weight.T, bias)


def _maximum(settings: Mapping[str, Any]) -> Operation:
    kernel, stride = tuple(settings["kernel_shape"]), tuple(settings.get("strides", (1, 1)))
    return lambda x: functional.max_pool2d(x, kernel, stride)


def _padding(settings: Mapping[str, Any]) -> Operation:
    pads = settings.get("pads")  # of each dimension before, then of each after
    if pads is None:
        raise ValueError("Pad has its pads in a tensor, which FrozenNetwork does not know")
    half = len(pads) // 2
    ends = [pads[axis + side] for axis in reversed(range(half)) for side in (0, half)]
    return lambda x: functional.pad(x, ends)


# What an operator with these settings does; settings are read once, not at every call.
OPERATORS: Mapping[str, Callable[[Mapping[str, Any]], Operation]] = {
    "Add": lambda _: torch.add,
    "BatchNormalization": _normalisation,
    "Conv": _convolution,
    "Dropout": lambda _: lambda x, ratio=None: x,  # nothing is left out of a frozen network
    "Flatten": lambda _: lambda x: x.flatten(1),
    "Gemm": _matrix_product,
    "MaxPool": _maximum,
    "Mul": lambda _: torch.mul,
    "Pad": _padding,
    "PRelu": lambda _: lambda x, slope: torch.prelu(x, slope.flatten()),
    "Sub": lambda _: torch.sub,
}
# Settings that the operators above leave out, with the only value that they may have.
FIXED_SETTINGS: Mapping[str, Mapping[str, object]] = {
    "BatchNormalization": {"training_mode": 0},
    "Conv": {"auto_pad": b"NOTSET", "dilations": [1, 1]},
    "Flatten": {"axis": 1},
    "Gemm": {"alpha": 1.0, "beta": 1.0, "transA": 0},
    "MaxPool": {"auto_pad": b"NOTSET", "ceil_mode": 0, "dilations": [1, 1], "pads": [0, 0, 0, 0]},
    "Pad": {"mode": b"constant", "value": 0.0},
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


def fold_norms(
    steps: Sequence[Step], constants: Mapping[str, Tensor]
) -> tuple[tuple[Step, ...], dict[str, Tensor]]:
    """The same graph with batch norms in the convolutions before them, where nothing else reads.

    Computed in double precision. The 106 landmarks take 3.0 ms instead of 4.3.
    """
    readers = Counter(name for step in steps for name in step.inputs)
    convolutions = {step.output: step for step in steps if step.operator == "Conv"}
    folded, merged = dict(constants), {}
    for step in steps:
        before = convolutions.get(step.inputs[0])
        if step.operator != "BatchNormalization" or before is None or readers[before.output] > 1:
            continue
        if not {*before.inputs[1:], *step.inputs[1:]} <= constants.keys():
            continue
        scale, shift, mean, variance = (constants[name].double() for name in step.inputs[1:])
        gain = scale / (variance + step.settings.get("epsilon", 1e-5)).sqrt()
        weight = constants[before.inputs[1]].double() * gain[:, None, None, None]
        bias = constants[before.inputs[2]].double() if len(before.inputs) > 2 else 0.0
        names = (f"{step.output}.weight", f"{step.output}.bias")
        folded[names[0]], folded[names[1]] = weight.float(), ((bias - mean) * gain + shift).float()
        merged[step.output] = replace(before, inputs=(before.inputs[0], *names), output=step.output)
    gone = {step.inputs[0] for step in steps if step.output in merged}
    kept = [merged.get(step.output, step) for step in steps if step.output not in gone]
    read = {name for step in kept for name in step.inputs}
    return tuple(kept), {name: value for name, value in folded.items() if name in read}


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
        self.steps, constants = fold_norms(steps, constants)
        self.operations = tuple(OPERATORS[step.operator](step.settings) for step in self.steps)
        self.input_name = input_name
        # A buffer's name may hold no dot, and names in a published graph do.
        self.names = {name: f"constant_{index}" for index, name in enumerate(constants)}
        for name, value in constants.items():
            self.register_buffer(self.names[name], value, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The graph's input -> its last output, for any batch whatever the file was saved with."""
        values: dict[str, Tensor] = {self.input_name: x}
        values |= {name: getattr(self, stored) for name, stored in self.names.items()}
        for step, operation in zip(self.steps, self.operations, strict=True):
            values[step.output] = operation(*(values[name] for name in step.inputs))
        return values[self.steps[-1].output]


@torch.no_grad()
def freeze(module: M) -> M:
    """The module in evaluation mode with nothing left to train."""
    return module.eval().requires_grad_(requires_grad=False)


def cut_window(pixels: Tensor, left: float, top: float, side: float) -> Tensor:
    """A square window, its place in units of the picture: [N, 3, S, S] -> [N, 3, W, W]."""
    size = int(pixels.shape[-1])  # under a trace it is a tensor
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
        face = cut_window(pixels, self.LEFT, self.TOP, self.SIDE)
        return functional.interpolate(
            face, (112, 112), mode="bilinear", align_corners=False, antialias=True
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels [N, 3, S, S] in [-1, 1] -> unit vectors [N, 512]."""
        return functional.normalize(self.network(self.window(pixels)), dim=1)


class SFace(ArcFace):
    """SFace of the same window, whose levels it reads from 0 to 255; [N, 3, S, S] -> [N, 128]."""

    def window(self, pixels: Tensor) -> Tensor:
        """The 112 px window in levels: [N, 3, S, S] -> [N, 3, 112, 112]."""
        return super().window(pixels) * 127.5 + 127.5


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
        face = cut_window(pixels, self.LEFT, self.TOP, self.SIDE)
        window = functional.interpolate(face, (192, 192), mode="bilinear", align_corners=False)
        points: Tensor = self.network(window * 127.5 + 127.5)
        return points.reshape(-1, 106, 2)


class Mesh478(nn.Module):
    """MediaPipe's face mesh of an FFHQ-aligned crop, differentiable: with pupils and lids.

    pixels [N, 3, S, S] in [-1, 1] -> points [N, 478, 2] (x, y) in units of half a window.
    """

    # MediaPipe reads a square 1.5 times the mesh's own, which in an FFHQ crop begins at (0.01,
    # 0.11) and reaches below the crop. What of it the crop has room for, left and right as wide:
    # points are 0.9 px of 256 from where MediaPipe puts them. Higher or wider, pupils are lost.
    LEFT, TOP, SIDE = 0.07, 0.14, 0.86
    SIZE = 256

    # Pairs of points (MediaPipe's numbers) whose offset tells where a face looks: pupils to the
    # corners of the eyes, and to the lids.
    GAZE = (
        *((468, 33), (468, 133), (473, 362), (473, 263)),
        *((468, 159), (468, 145), (473, 386), (473, 374)),
    )
    # Pairs whose offset tells an expression.
    SPANS = (
        # lids
        *((159, 145), (158, 153), (160, 144), (386, 374), (385, 380), (387, 373)),
        # brows above the eyes
        *((55, 133), (285, 362), (52, 159), (282, 386), (53, 33), (283, 263)),
        # inner lips, corners of the mouth, these and both lips to the nose, lips' thickness
        *((13, 14), (82, 87), (312, 317), (61, 291), (61, 2), (291, 2)),
        *((0, 2), (17, 2), (0, 13), (14, 17)),
    )

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """Points [N, 478, 2] in [-1, 1] of the window."""
        face = cut_window(pixels, self.LEFT, self.TOP, self.SIDE)
        size = (self.SIZE, self.SIZE)
        window = functional.interpolate(face, size, mode="bilinear", align_corners=False)
        points: Tensor = self.network(window / 2 + 0.5)
        return points.reshape(-1, 478, 3)[..., :2] / (self.SIZE / 2) - 1
