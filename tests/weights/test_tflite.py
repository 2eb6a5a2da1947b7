"""Reading TensorFlow Lite graphs: what they hold, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from megafs_video.errors import WeightsError
from megafs_video.weights.tflite import Operator, read_tflite
from tests.lite import Node, write_lite

KERNEL = np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2) / 8
NODES = [
    Node(6, (1,), 2),
    Node(3, (0, 2, 3), 4, {(1, 4): 2, (2, 4): 1, (3, 1): 0}),
]
ADDED = Node(0, (0, 0), 1)
SHAPES = [(1, 6, 5, 2), (2, 2, 2, 2), (2, 2, 2, 2), (2,), (1, 6, 3, 2)]
ARRAYS = {1: KERNEL.astype(np.float16), 3: np.float32([1, -1])}


def small() -> bytes:
    return write_lite(SHAPES, ARRAYS, NODES)


def test_operators_come_with_their_settings_and_constants() -> None:
    graph = read_tflite(small(), "small.tflite")
    assert graph.operators == (
        Operator("DEQUANTIZE", (1,), 2, {}),
        Operator(
            "CONV_2D",
            (0, 2, 3),
            4,
            {
                "padding": 0,
                "stride_x": 2,
                "stride_y": 1,
                "activation": 0,
                "dilation_x": 1,
                "dilation_y": 1,
            },
        ),
    )
    assert graph.shapes == tuple(SHAPES)
    assert (graph.inputs, graph.outputs) == ((0,), (4,))
    assert sorted(graph.constants) == [1, 3]
    assert graph.constants[1].dtype == np.float16
    np.testing.assert_array_equal(graph.constants[1], KERNEL)
    np.testing.assert_array_equal(graph.constants[3], [1, -1])


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\0" * 64, b"not a graph, but long enough"])
def test_a_file_that_is_no_graph_is_refused(content: bytes) -> None:
    with pytest.raises(WeightsError, match=r"odd\.tflite is not a TensorFlow Lite graph"):
        read_tflite(content, "odd.tflite")


def test_an_unknown_operator_is_refused_by_its_number() -> None:
    content = write_lite([(1, 2), (1, 2)], {}, [Node(25, (0,), 1)])  # a soft maximum
    with pytest.raises(WeightsError, match="it uses operator 25, which is not known here"):
        read_tflite(content, "odd.tflite")


def test_a_damaged_file_is_read_or_refused_and_nothing_else() -> None:
    whole, random = small(), np.random.default_rng(0)
    refused = 0
    for _ in range(2000):
        content = bytearray(whole)
        for place in random.integers(0, len(whole), 3):
            content[place] = random.integers(256)
        cut = int(random.integers(8, len(whole) + 1)) if random.random() < 0.3 else len(whole)
        try:
            read_tflite(bytes(content[:cut]), "damaged.tflite")
        except WeightsError:
            refused += 1
    assert refused > 500


def test_constants_that_share_bytes_are_refused() -> None:
    # A short file whose tensors all name one buffer could ask for any amount of memory.
    shapes = [(1, 1000)] * 200
    bomb = write_lite(shapes, {1: np.ones((1, 1000), np.float32)}, [ADDED], share_first=True)
    with pytest.raises(WeightsError, match="its constants share bytes"):
        read_tflite(bomb, "bomb.tflite")


def test_a_shape_of_many_numbers_is_refused() -> None:
    content = write_lite([(1,) * 1000, (1, 2)], {}, [ADDED])
    with pytest.raises(WeightsError, match="a list of 1000 numbers, at most 64 are read"):
        read_tflite(content, "long.tflite")
