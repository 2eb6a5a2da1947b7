"""Published ONNX networks in torch: the same numbers, and gradients."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

from megafs_video.errors import WeightsError
from megafs_video.networks.frozen import (
    ArcFace,
    FrozenNetwork,
    Landmarks106,
    Mesh478,
    SFace,
    Step,
    freeze,
)
from megafs_video.parts import build_frozen
from tests.tiny import check_close, random_pixels

CONV = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "dilations": [1, 1]}


def make_graph(path: Path, nodes: list[Any], arrays: Mapping[str, Any], batch: int = 1) -> Path:
    """An ONNX file: input "x" [batch, 3, 16, 16], the last node's output."""
    shape = [batch, 3, 16, 16]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(nodes[-1].output[0], onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.float32(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.fixture
def every_operator(tmp_path: Path) -> Path:
    """A graph with every operator, padding on one side only, and both orders of Gemm."""
    random = np.random.default_rng(0)
    arrays = {
        "mean": 0.1,
        "scale": 1.5,
        "even.weight": random.normal(size=(6, 3, 3, 3)),  # a dot, as in published files
        "even.bias": random.normal(size=6),
        "uneven.weight": random.normal(size=(6, 1, 3, 3)),
        "bn.scale": random.uniform(0.5, 2, 6),
        "bn.bias": random.normal(size=6),
        "bn.mean": random.normal(size=6),
        "bn.variance": random.uniform(0.5, 2, 6),
        "slope": random.uniform(0, 0.5, (6, 1, 1)),
        "fc.weight": random.normal(0, 0.1, (5, 72)),
        "fc.bias": random.normal(size=5),
        "last.weight": random.normal(size=(5, 4)),
        "last.bias": random.normal(size=4),
    }
    batch_norm = ["even", "bn.scale", "bn.bias", "bn.mean", "bn.variance"]
    uneven = CONV | {"strides": [1, 1], "pads": [0, 1, 2, 1], "group": 6}
    nodes = [
        helper.make_node("Sub", ["x", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "scale"], ["scaled"]),
        helper.make_node("Conv", ["scaled", "even.weight", "even.bias"], ["even"], **CONV),
        helper.make_node("BatchNormalization", batch_norm, ["bn"], epsilon=1e-3, momentum=0.9),
        helper.make_node("PRelu", ["bn", "slope"], ["leaky"]),
        helper.make_node("Conv", ["leaky", "uneven.weight"], ["uneven"], **uneven),
        helper.make_node("Add", ["uneven", "even"], ["sum"]),
        helper.make_node("Conv", ["sum", "uneven.weight"], ["half"], **CONV, group=6),
        helper.make_node("MaxPool", ["half"], ["pooled"], kernel_shape=[2, 1]),
        helper.make_node("Dropout", ["pooled"], ["all"]),
        helper.make_node("Flatten", ["all"], ["flat"]),
        helper.make_node("Gemm", ["flat", "fc.weight", "fc.bias"], ["fc"], transB=1),
        helper.make_node("Gemm", ["fc", "last.weight", "last.bias"], ["last"]),
    ]
    return make_graph(tmp_path / "every.onnx", nodes, arrays, batch=2)


def test_every_operator_gives_what_onnxruntime_gives(every_operator: Path) -> None:
    network = build_frozen(every_operator)
    pixels = random_pixels(2, 16)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(every_operator), options, providers=["CPUExecutionProvider"]
    )
    (wanted,) = session.run(None, {"x": pixels.numpy()})
    check_close(network(pixels), torch.from_numpy(wanted))


@pytest.mark.parametrize("has_bias", [True, False])
def test_a_batch_norm_goes_into_its_convolution(tmp_path: Path, has_bias: bool) -> None:
    random = np.random.default_rng(0)
    arrays = {
        "weight": random.normal(size=(6, 3, 3, 3)),
        "bias": random.normal(size=6),
        "bn.scale": random.uniform(0.5, 2, 6),
        "bn.bias": random.normal(size=6),
        "bn.mean": random.normal(size=6),
        "bn.variance": random.uniform(0.5, 2, 6),
        "slope": random.uniform(0, 0.5, (6, 1, 1)),
    }
    inputs = ["x", "weight", "bias"] if has_bias else ["x", "weight"]
    batch_norm = ["conv", "bn.scale", "bn.bias", "bn.mean", "bn.variance"]
    nodes = [
        helper.make_node("Conv", inputs, ["conv"], **CONV),
        helper.make_node("BatchNormalization", batch_norm, ["bn"], epsilon=1e-3),
        helper.make_node("PRelu", ["bn", "slope"], ["leaky"]),
    ]
    path = make_graph(tmp_path / "norm.onnx", nodes, arrays)
    network = build_frozen(path)
    assert [step.operator for step in network.steps] == ["Conv", "PRelu"]
    pixels = random_pixels(1, 16)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"x": pixels.numpy()})
    check_close(network(pixels), torch.from_numpy(wanted))


def test_any_batch_can_be_run_whatever_the_file_says(every_operator: Path) -> None:
    network = build_frozen(every_operator)
    pixels = random_pixels(5, 16)
    singles = torch.cat([network(pixels[i : i + 1]) for i in range(5)])
    check_close(network(pixels), singles)


def test_a_gradient_reaches_the_picture_and_nothing_else(every_operator: Path) -> None:
    network = build_frozen(every_operator)
    pixels = random_pixels(1, 16).requires_grad_()
    network(pixels).square().sum().backward()
    assert pixels.grad is not None
    assert pixels.grad.abs().max() > 0
    assert list(network.parameters()) == []
    assert network.state_dict() == {}  # the weights stay in their own file


def test_an_unknown_operator_is_refused_by_name(tmp_path: Path) -> None:
    path = make_graph(tmp_path / "odd.onnx", [helper.make_node("Softmax", ["x"], ["y"])], {})
    with pytest.raises(WeightsError, match=r"odd\.onnx .* uses Softmax"):
        build_frozen(path)


@pytest.mark.parametrize(
    ("operator", "settings", "said"),
    [
        ("Conv", {"dilations": [2, 2]}, r"Conv has dilations \[2, 2\]"),
        ("Conv", {"auto_pad": b"SAME_UPPER"}, "Conv has auto_pad"),
        ("Gemm", {"alpha": 0.5}, "Gemm has alpha 0.5"),
        ("Flatten", {"axis": 2}, "Flatten has axis 2"),
        ("MaxPool", {"kernel_shape": [2, 2], "auto_pad": b"SAME_UPPER"}, "MaxPool has auto_pad"),
        ("MaxPool", {"kernel_shape": [2, 2], "ceil_mode": 1}, "MaxPool has ceil_mode 1"),
        ("MaxPool", {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0]}, "MaxPool has pads"),
        ("Pad", {"pads": [0] * 8, "mode": b"reflect"}, "Pad has mode b'reflect'"),
        ("Pad", {"pads": [0] * 8, "value": 1.0}, "Pad has value 1.0"),
        ("Pad", {}, "Pad has its pads in a tensor"),
    ],
)
def test_a_setting_that_would_be_ignored_is_refused(
    operator: str, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        FrozenNetwork([Step(operator, ("x", "w"), "y", settings)], {}, "x")


@pytest.mark.parametrize("content", [b"", b"\x08\xff\xff not a graph", b"{}"])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"damaged\.onnx cannot be read as an ONNX network"):
        build_frozen(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read as an ONNX network"):
        build_frozen(tmp_path / "missing.onnx")


def test_freezing_leaves_nothing_to_train() -> None:
    module = freeze(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))
    assert not module.training
    assert not any(weight.requires_grad for weight in module.parameters())


class Recorder(nn.Module):
    """Remembers what it was given."""

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        self.window = window
        return window.flatten(1)[:, :212] * 3


def ramp(size: int) -> torch.Tensor:
    """A picture whose red is x and whose green is y, both in [-1, 1]."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, size)] * 2, indexing="ij")
    return torch.stack((x, y, torch.zeros_like(x)))[None]


def test_arcface_reads_its_window_of_the_crop_and_returns_unit_vectors() -> None:
    recorder = Recorder()
    embeddings = ArcFace(recorder)(ramp(256))
    assert recorder.window.shape == (1, 3, 112, 112)
    middle_x = 2 * (ArcFace.LEFT + ArcFace.SIDE / 2) - 1
    middle_y = 2 * (ArcFace.TOP + ArcFace.SIDE / 2) - 1
    # A pixel of the crop is 2/255; the window starts at a whole pixel.
    assert recorder.window[0, 0].mean() == pytest.approx(middle_x, abs=0.01)
    assert recorder.window[0, 1].mean() == pytest.approx(middle_y, abs=0.01)
    assert embeddings.norm(dim=1) == pytest.approx(1, abs=1e-5)


def test_sface_reads_the_same_window_in_levels() -> None:
    recorder, arcface = Recorder(), Recorder()
    embeddings = SFace(recorder)(ramp(256))
    ArcFace(arcface)(ramp(256))
    torch.testing.assert_close(recorder.window, (arcface.window + 1) * 127.5, atol=1e-4, rtol=0)
    assert recorder.window.max() > 200
    assert embeddings.norm(dim=1) == pytest.approx(1, abs=1e-5)


def test_landmarks_are_pairs_and_the_network_reads_0_to_255() -> None:
    recorder = Recorder()
    points = Landmarks106(recorder)(ramp(256).repeat(2, 1, 1, 1))
    assert recorder.window.shape == (2, 3, 192, 192)
    assert recorder.window.min() >= 0
    assert recorder.window.max() > 230
    assert points.shape == (2, 106, 2)
    assert torch.equal(points.flatten(1), recorder.window.flatten(1)[:, :212] * 3)


class MeshRecorder(Recorder):
    """Answers as MediaPipe does: x, y and depth of 478 points, in pixels of its window."""

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        self.window = window
        depths = torch.full((478,), 99.0)
        points = torch.stack((torch.full((478,), 64.0), torch.full((478,), 192.0), depths), dim=1)
        return points.flatten().expand(len(window), -1)


def test_the_mesh_is_in_units_of_half_a_window_and_the_network_reads_0_to_1() -> None:
    recorder = MeshRecorder()
    points = Mesh478(recorder)(ramp(256).repeat(2, 1, 1, 1))
    assert recorder.window.shape == (2, 3, 256, 256)
    left, top = recorder.window[0, 0, 0, 0], recorder.window[0, 1, 0, 0]
    # The window starts a little inside the crop, at a whole pixel.
    assert (left, top) == pytest.approx((Mesh478.LEFT, Mesh478.TOP), abs=3e-3)
    assert recorder.window.max() == pytest.approx(Mesh478.TOP + Mesh478.SIDE, abs=5e-3)
    assert torch.equal(points, torch.tensor([-0.5, 0.5]).expand(2, 478, 2))
