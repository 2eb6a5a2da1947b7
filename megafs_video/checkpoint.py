"""Where a run can be taken up again: a frame at which every stage leaves what it knows.

A checkpoint travels with its frame. A stage that remembers earlier frames calls ``carried`` when
such a frame comes in, before it looks at it: in the run that makes the checkpoint its memory is
noted down there, in a run that is taken up at that frame the stage finds it there. So each stage
knows the frames before the checkpoint and none behind it, however many lie between two stages.

Memories are plain data: numbers, text, arrays, fractions, collections, and dataclasses and
enumerations of this package. They become JSON beside arrays, and nothing in them is run when
they are read back.
"""

from __future__ import annotations

import dataclasses
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")
Array = npt.NDArray[Any]

_PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True, eq=False)
class Packed:
    """Plain data as JSON and the arrays that it numbers."""

    tree: Any
    arrays: Sequence[Array] = ()


class Checkpoint:
    """What the stages know at one frame: found there, or to be left there.

    >>> first = Checkpoint()
    >>> first.carried("count", [1, 2])
    [1, 2]
    >>> Checkpoint(first.memories).carried("count", [])  # in another run
    [1, 2]
    """

    def __init__(self, found: Mapping[str, Packed] | None = None) -> None:
        self.is_found = found is not None  # in an earlier run
        self.memories: dict[str, Packed] = dict(found or {})  # by the names of the stages

    def carried(self, name: str, memory: T) -> T:
        """The memory to go on with; ``name`` is the stage's own, used once in a run.

        KeyError: the run that made the checkpoint had no such stage.
        """
        if self.is_found:
            return self.memory(name, type(memory))
        self.memories[name] = pack(memory)  # a copy: the stage goes on to change it
        return memory

    def memory(self, name: str, kind: type[T]) -> T:
        """What a stage left; KeyError if nothing, TypeError if it is not of that kind."""
        memory = unpack(self.memories[name])
        if not isinstance(memory, kind):
            raise TypeError(f"the memory of {name} is {memory!r}, wanted a {kind.__name__}")
        return memory


def pack(value: Any) -> Packed:
    """Plain data as JSON and arrays; TypeError for anything else.

    >>> pack((1.5, {2: np.zeros(3)})).tree
    ['tuple', 1.5, ['dict', ['tuple', 2, ['array', 0]]]]
    """
    arrays: list[Array] = []
    return Packed(_packed(value, arrays), arrays)


def unpack(packed: Packed) -> Any:
    """What was packed; ValueError if it is nothing that ``pack`` makes.

    >>> unpack(pack([Fraction(1, 3), deque([1], maxlen=4)]))
    [Fraction(1, 3), deque([1], maxlen=4)]
    """
    return _unpacked(packed.tree, packed.arrays)


# Everything but plain JSON values is a list whose first item says what follows.
_COLLECTIONS: Mapping[str, Callable[[list[Any]], Any]] = {
    **{"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "dict": dict}
}


def _packed(value: Any, arrays: list[Array]) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    kind = type(value)
    name = kind.__qualname__
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biuf":
        arrays.append(np.array(value, order="C"))
        return ["array" if isinstance(value, np.ndarray) else "scalar", len(arrays) - 1]
    if isinstance(value, Fraction):
        return ["fraction", value.numerator, value.denominator]
    if isinstance(value, deque):
        return ["deque", value.maxlen, *(_packed(each, arrays) for each in value)]
    if _COLLECTIONS.get(name) is kind:
        items = value.items() if kind is dict else value
        return [name, *(_packed(each, arrays) for each in items)]
    if _is_ours(kind) and isinstance(value, Enum):
        return ["enum", kind.__module__, name, value.name]
    if _is_ours(kind) and dataclasses.is_dataclass(kind):
        fields = [getattr(value, field.name) for field in dataclasses.fields(kind)]
        return ["object", kind.__module__, name, *(_packed(each, arrays) for each in fields)]
    raise TypeError(f"{value!r} is no plain data, so a checkpoint cannot keep it")


def _unpacked(tree: Any, arrays: Sequence[Array]) -> Any:
    if not isinstance(tree, list):
        return tree
    try:
        tag, *rest = tree
        if tag == "array":
            return arrays[rest[0]].copy()
        if tag == "scalar":
            return arrays[rest[0]][()]
        if tag == "fraction":
            return Fraction(*rest)
        if tag == "enum":
            return _class(rest[0], rest[1])[rest[2]]
        if tag == "object":
            return _class(rest[0], rest[1])(*(_unpacked(each, arrays) for each in rest[2:]))
        if tag == "deque":
            return deque((_unpacked(each, arrays) for each in rest[1:]), maxlen=rest[0])
        return _COLLECTIONS[tag]([_unpacked(each, arrays) for each in rest])
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{str(tree)[:80]} is no memory of a stage") from error


def _class(module: str, name: str) -> type[Any]:
    """A class of this package that is loaded already; TypeError for any other."""
    found = getattr(sys.modules[module], name)
    if not (isinstance(found, type) and _is_ours(found)) or not (
        issubclass(found, Enum) or dataclasses.is_dataclass(found)
    ):
        raise TypeError(f"{module}.{name} is no dataclass of this package")
    return found


def _is_ours(kind: type[Any]) -> bool:
    return kind.__module__.partition(".")[0] == _PACKAGE
