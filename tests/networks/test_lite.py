"""TensorFlow Lite graphs in torch: the same numbers as another engine's."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from megafs_video.errors import WeightsError
from megafs_video.networks.frozen import FrozenNetwork, freeze
from megafs_video.networks.lite import steps_of
from megafs_video.parts import MESH_MEMBER, build_mesh478
from megafs_video.weights.tflite import read_tflite
from tests.faces.conftest import cached
from tests.lite import Node, write_lite
from tests.tiny import check_close, random_pixels

try:  # here, not in a test: it starts a thread
    import openvino
except ImportError:
    openvino = None

REFUSALS = (ValueError, LookupError, ArithmeticError)  # what ``build_mesh478`` makes errors of


def run_openvino(content: bytes, folder: Path, pixels: torch.Tensor) -> torch.Tensor:
    """What OpenVINO makes of the file: [N, C, H, W] -> its first output, in TensorFlow's order."""
    if openvino is None:
        pytest.skip("OpenVINO is an optional extra")
    path = folder / "graph.tflite"
    path.write_bytes(content)
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.compile_model(path, "CPU", exact)
    return torch.from_numpy(model(pixels.permute(0, 2, 3, 1).numpy())[0].copy())


def every_operator() -> bytes:
    """A graph with every operator, no two sides alike, and a branch that nobody reads."""
    random = np.random.default_rng(0)
    shapes = {
        0: (1, 16, 15, 3),
        1: (4, 3, 2, 3),  # weights of a convolution, stored with 16 bits
        2: (4, 3, 2, 3),
        3: (4,),
        4: (1, 8, 15, 4),
        5: (1, 1, 4),  # slopes
        6: (1, 8, 15, 4),
        7: (1, 3, 3, 4),  # weights of a depthwise convolution
        8: (1, 8, 15, 4),
        9: (1, 8, 15, 4),
        10: (1, 3, 7, 4),
        11: (4, 2),
        12: (1, 4, 9, 6),
        13: (1, 4, 9, 6),
        14: (5, 4, 9, 6),  # weights that see everything
        15: (5,),
        16: (1, 1, 1, 5),
    }
    arrays = {index: random.normal(size=shapes[index]) for index in (2, 3, 5, 7, 14, 15)}
    arrays = {index: array.astype(np.float32) for index, array in arrays.items()}
    arrays[1] = arrays.pop(2).astype(np.float16)
    nodes = [
        Node(6, (1,), 2),
        Node(3, (0, 2, 3), 4, {(1, 4): 1, (2, 4): 2}),
        Node(54, (4, 5), 6),
        Node(4, (6, 7, 3), 8, {(1, 4): 1, (2, 4): 1, (3, 4): 1}),
        Node(0, (6, 8), 9),
        Node(17, (9,), 10, {(0, 1): 1, (1, 4): 2, (2, 4): 2, (3, 4): 2, (4, 4): 3}),
        Node(34, (10, 11), 12),
        Node(14, (12,), 13),
        Node(3, (12, 14, 15), 16, {(0, 1): 1, (1, 4): 1, (2, 4): 1}),
    ]
    paddings = np.array([(0, 0), (1, 0), (0, 2), (0, 2)], np.int32)
    return write_lite([shapes[index] for index in range(17)], {**arrays, 11: paddings}, nodes)


def test_every_operator_gives_what_openvino_gives(tmp_path: Path) -> None:
    content = every_operator()
    network = freeze(FrozenNetwork(*steps_of(read_tflite(content, "every.tflite"))))
    pixels = torch.cat((random_pixels(1, 16)[..., :15], random_pixels(1, 16, seed=1)[..., :15]))
    found = network(pixels)
    assert found.shape == (2, 5, 1, 1)
    wanted = [run_openvino(content, tmp_path, one[None]) for one in pixels]
    check_close(found.flatten(1), torch.cat(wanted).flatten(1))


def test_a_damaged_graph_is_built_or_refused_and_nothing_else() -> None:
    whole, random = every_operator(), np.random.default_rng(0)
    refused = 0
    for _ in range(1000):
        content = bytearray(whole)
        for place in random.integers(0, len(whole), 3):
            content[place] = random.integers(256)
        try:
            FrozenNetwork(*steps_of(read_tflite(bytes(content), "damaged.tflite")))
        except (WeightsError, *REFUSALS):
            refused += 1
    assert refused > 100


def test_a_dilated_convolution_is_refused() -> None:
    arrays = {1: np.ones((3, 3, 3, 3), np.float32), 2: np.ones(3, np.float32)}
    settings = {(1, 4): 1, (2, 4): 1, (4, 4): 1, (5, 4): 2}
    shapes = [(1, 9, 9, 3), (3, 3, 3, 3), (3,), (1, 9, 9, 3)]
    content = write_lite(shapes, arrays, [Node(3, (0, 1, 2), 3, settings)])
    with pytest.raises(ValueError, match="CONV_2D is dilated"):
        steps_of(read_tflite(content, "wide.tflite"))


def test_an_activation_inside_an_operator_is_refused() -> None:
    nodes = [Node(0, (0, 0), 1, {(0, 1): 1})]  # a sum, then ReLU
    graph = read_tflite(write_lite([(1, 4, 4, 3)] * 2, {}, nodes), "sum.tflite")
    with pytest.raises(ValueError, match="ADD has an activation of its own"):
        steps_of(graph)


def test_an_operator_without_a_torch_reading_is_refused() -> None:
    graph = read_tflite(write_lite([(1, 4, 4, 3)] * 2, {}, [Node(14, (0,), 1)]), "odd.tflite")
    with pytest.raises(ValueError, match="the graph uses LOGISTIC"):
        steps_of(graph)


def test_the_face_mesh_gives_what_openvino_gives(tmp_path: Path) -> None:
    path = cached("face-mesh")
    mesh = build_mesh478(path)
    pixels = random_pixels(2, 256)
    with zipfile.ZipFile(path) as task:
        content = task.read(MESH_MEMBER)
    wanted = run_openvino(content, tmp_path, pixels).reshape(2, -1)
    check_close(mesh.network(pixels).flatten(1), wanted)


@pytest.mark.parametrize("content", [b"", b"PK no archive", None])
def test_a_file_that_is_no_face_mesh_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "face.task"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"face\.task is not MediaPipe's face landmarker"):
        build_mesh478(path)


def test_an_archive_with_another_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "face.task"
    with zipfile.ZipFile(path, "w") as task:
        task.writestr(MESH_MEMBER, write_lite([(1, 4, 4, 3)] * 2, {}, [Node(0, (0, 0), 1)]))
    with pytest.raises(WeightsError, match=r"face\.task is not .* reads or answers something else"):
        build_mesh478(path)


def test_a_packed_graph_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "face.task"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as task:
        task.writestr(MESH_MEMBER, bytes(10**6))
    with pytest.raises(WeightsError, match=r"face\.task is not .* packed or locked"):
        build_mesh478(path)
