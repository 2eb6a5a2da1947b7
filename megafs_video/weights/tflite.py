"""Read a TensorFlow Lite graph (a FlatBuffer) without running any of it.

Fields and operators are known by their numbers in TensorFlow's schema.fbs.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from flatbuffers import number_types
from flatbuffers.table import Table

from megafs_video.errors import WeightsError

OPERATORS: Mapping[int, str] = {
    0: "ADD",
    3: "CONV_2D",
    4: "DEPTHWISE_CONV_2D",
    6: "DEQUANTIZE",
    14: "LOGISTIC",
    17: "MAX_POOL_2D",
    22: "RESHAPE",
    34: "PAD",
    54: "PRELU",
}


class Setting(NamedTuple):
    """Where a setting of an operator stands."""

    name: str
    field: int
    is_byte: bool = False  # else it has four
    default: int = 0  # of a file that leaves it out


SETTINGS: Mapping[str, tuple[Setting, ...]] = {
    "ADD": (Setting("activation", 0, is_byte=True),),
    "CONV_2D": (
        Setting("padding", 0, is_byte=True),
        Setting("stride_x", 1),
        Setting("stride_y", 2),
        Setting("activation", 3, is_byte=True),
        Setting("dilation_x", 4, default=1),
        Setting("dilation_y", 5, default=1),
    ),
    "DEPTHWISE_CONV_2D": (
        Setting("padding", 0, is_byte=True),
        Setting("stride_x", 1),
        Setting("stride_y", 2),
        Setting("activation", 4, is_byte=True),
        Setting("dilation_x", 5, default=1),
        Setting("dilation_y", 6, default=1),
    ),
    "MAX_POOL_2D": (
        Setting("padding", 0, is_byte=True),
        Setting("stride_x", 1),
        Setting("stride_y", 2),
        Setting("width", 3),
        Setting("height", 4),
        Setting("activation", 5, is_byte=True),
    ),
}
MAX_NUMBERS = 64  # of a shape, or that an operator reads: tables may share a longer list
ELEMENT_TYPES: Mapping[int, np.dtype[Any]] = {
    0: np.dtype("<f4"),
    1: np.dtype("<f2"),
    2: np.dtype("<i4"),
}


@dataclass(frozen=True)
class Operator:
    """One step of a graph; tensors are told by their numbers."""

    name: str  # as TensorFlow calls it: "CONV_2D", …
    inputs: tuple[int, ...]
    output: int
    settings: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class LiteGraph:
    """Operators in the order in which they run; pictures are [N, H, W, C]."""

    operators: tuple[Operator, ...]
    shapes: tuple[tuple[int, ...], ...]  # of every tensor
    constants: Mapping[int, npt.NDArray[Any]]  # those that are stored as numbers
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_tflite(content: bytes, where: object) -> LiteGraph:
    """The first graph of a file; WeightsError, which names ``where``, if it cannot be read."""
    try:
        return _read(bytearray(content))
    except (struct.error, LookupError, ValueError, TypeError, OverflowError) as error:
        raise WeightsError(f"{where} is not a TensorFlow Lite graph: {error}") from error


def _read(content: bytearray) -> LiteGraph:
    if content[4:8] != b"TFL3":
        raise ValueError("it does not begin as one")
    model = Table(content, struct.unpack_from("<I", content)[0])
    # Operators above 127 stand in the second field; below, the first has them in older files.
    codes = [max(_number(code, 0, is_byte=True), _number(code, 3)) for code in _tables(model, 1)]
    graph, buffers = _tables(model, 2)[0], _tables(model, 4)
    tensors = _tables(graph, 0)
    constants: dict[int, npt.NDArray[Any]] = {}
    num_bytes = 0
    for index, tensor in enumerate(tensors):
        stored = _bytes(buffers[_index(tensor, 2)], 0)
        if len(stored):
            kind = _number(tensor, 1, is_byte=True)
            if kind not in ELEMENT_TYPES:
                raise ValueError(f"tensor {index} has the type {kind}, which is not known here")
            constants[index] = stored.view(ELEMENT_TYPES[kind]).reshape(_numbers(tensor, 0))
            num_bytes += len(stored)
            if num_bytes > len(content):
                raise ValueError("its constants share bytes")
    return LiteGraph(
        operators=tuple(_operator(one, codes) for one in _tables(graph, 3)),
        shapes=tuple(_numbers(tensor, 0) for tensor in tensors),
        constants=constants,
        inputs=_numbers(graph, 1),
        outputs=_numbers(graph, 2),
    )


def _operator(table: Table, codes: list[int]) -> Operator:
    code = codes[_index(table, 0)]
    if code not in OPERATORS:
        raise ValueError(f"it uses operator {code}, which is not known here")
    name = OPERATORS[code]
    options = _table(table, 4)
    settings = {one.name: _setting(options, one) for one in SETTINGS.get(name, ())}
    return Operator(name, _numbers(table, 1), _numbers(table, 2)[0], settings)


def _place(table: Table, field: int) -> int:
    """Where a field lies in its table, 0 if the table has none."""
    return int(table.Offset(4 + 2 * field))


def _number(table: Table, field: int, *, is_byte: bool = False, default: int = 0) -> int:
    place = _place(table, field)
    kind = number_types.Int8Flags if is_byte else number_types.Int32Flags
    return int(table.Get(kind, table.Pos + place)) if place else default


def _index(table: Table, field: int) -> int:
    """A number of something in a list: not negative, which Python would count from the end."""
    number = _number(table, field)
    if number < 0:
        raise ValueError(f"it refers to number {number}")
    return number


def _setting(options: Table | None, setting: Setting) -> int:
    if options is None:
        return setting.default
    return _number(options, setting.field, is_byte=setting.is_byte, default=setting.default)


def _table(table: Table, field: int) -> Table | None:
    place = _place(table, field)
    return Table(table.Bytes, table.Indirect(table.Pos + place)) if place else None


def _vector(table: Table, field: int) -> tuple[int, int]:
    """Where a vector's items begin, and how many there are."""
    place = _place(table, field)
    return (table.Vector(place), table.VectorLen(place)) if place else (0, 0)


def _tables(table: Table, field: int) -> list[Table]:
    start, count = _vector(table, field)
    return [Table(table.Bytes, table.Indirect(start + 4 * index)) for index in range(count)]


def _numbers(table: Table, field: int) -> tuple[int, ...]:
    start, count = _vector(table, field)
    if not count:
        return ()
    if count > MAX_NUMBERS:
        raise ValueError(f"it has a list of {count} numbers, at most {MAX_NUMBERS} are read")
    return tuple(np.frombuffer(table.Bytes, "<i4", count, start).tolist())


def _bytes(table: Table, field: int) -> npt.NDArray[np.uint8]:
    start, count = _vector(table, field)
    if not count:
        return np.empty(0, np.uint8)
    return np.frombuffer(table.Bytes, np.uint8, count, start)
