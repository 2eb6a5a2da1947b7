"""Writes small TensorFlow Lite files, as TensorFlow's converter would."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt

Field = Callable[[flatbuffers.Builder, int], None]
ELEMENT_TYPES = {"float32": 0, "float16": 1, "int32": 2}
# The kind of settings that an operator has, in TensorFlow's union.
OPTIONS = {0: 11, 3: 1, 4: 2, 17: 5}


@dataclass(frozen=True)
class Node:
    """An operator by its number in schema.fbs; settings by (number of the field, bytes of it)."""

    code: int
    inputs: tuple[int, ...]
    output: int
    settings: Mapping[tuple[int, int], int] = field(default_factory=dict)


def write_lite(
    shapes: Sequence[tuple[int, ...]],
    arrays: Mapping[int, npt.NDArray[Any]],
    nodes: Sequence[Node],
    *,
    share_first: bool = False,
) -> bytes:
    """A file with one graph: tensor 0 is its input, the last node's output its output.

    share_first: every tensor has the bytes of the first array, which no honest file does.
    """
    builder = flatbuffers.Builder(1024)
    codes = sorted({node.code for node in nodes})
    stored = [None, *arrays.values()]  # the first buffer is empty by custom
    buffers = _tables(builder, [_buffer(builder, array) for array in stored])
    places = {index: place for place, index in enumerate(arrays, 1)}
    tensors = []
    for index, shape in enumerate(shapes):
        numbers = builder.CreateNumpyVector(np.array(shape, np.int32))
        name = builder.CreateString(f"tensor {index}")
        kind = ELEMENT_TYPES[str(arrays[index].dtype)] if index in arrays else 0
        fields = {0: _offset(numbers), 1: _byte(kind), 3: _offset(name)}
        fields[2] = _number(1 if share_first else places.get(index, 0))
        tensors.append(_table(builder, fields))
    operators = [_operator(builder, node, codes.index(node.code)) for node in nodes]
    fields = {
        0: _offset(_tables(builder, tensors)),
        1: _offset(builder.CreateNumpyVector(np.array([0], np.int32))),
        2: _offset(builder.CreateNumpyVector(np.array([nodes[-1].output], np.int32))),
        3: _offset(_tables(builder, operators)),
    }
    graph = _table(builder, fields)
    known = [_table(builder, {0: _byte(code), 2: _number(3), 3: _number(code)}) for code in codes]
    fields = {
        0: _number(3),
        1: _offset(_tables(builder, known)),
        2: _offset(_tables(builder, [graph])),
        4: _offset(buffers),
    }
    builder.Finish(_table(builder, fields), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _buffer(builder: flatbuffers.Builder, array: npt.NDArray[Any] | None) -> int:
    if array is None:
        return _table(builder, {})
    return _table(builder, {0: _offset(builder.CreateByteVector(array.tobytes()))})


def _operator(builder: flatbuffers.Builder, node: Node, code: int) -> int:
    fields = {
        1: _offset(builder.CreateNumpyVector(np.array(node.inputs, np.int32))),
        2: _offset(builder.CreateNumpyVector(np.array([node.output], np.int32))),
        0: _number(code),
    }
    if node.code in OPTIONS:
        settings = {
            number: _byte(value) if size == 1 else _number(value)
            for (number, size), value in node.settings.items()
        }
        fields[4] = _offset(_table(builder, settings))
        fields[3] = _byte(OPTIONS[node.code])
    return _table(builder, fields)


def _table(builder: flatbuffers.Builder, fields: Mapping[int, Field]) -> int:
    builder.StartObject(8)
    for number, put in fields.items():
        put(builder, number)
    return int(builder.EndObject())


def _tables(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _offset(value: int) -> Field:
    return lambda builder, number: builder.PrependUOffsetTRelativeSlot(number, value, 0)


def _number(value: int) -> Field:
    return lambda builder, number: builder.PrependInt32Slot(number, value, 0)


def _byte(value: int) -> Field:
    return lambda builder, number: builder.PrependInt8Slot(number, value, 0)
