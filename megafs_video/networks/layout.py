"""A state dict in somebody else's layout, which must hold just what its reader expects."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

State = dict[str, Tensor]
"""What a module loads."""


class Layout:
    """Tensors by name, each crossed off when it is taken; at the end none may be left."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        self.left = dict.fromkeys(tensors)

    def shape(self, name: str, num_dimensions: int) -> tuple[int, ...]:
        """The shape of a tensor that stays to be taken; ValueError if there is no such one."""
        if name not in self.tensors:
            raise ValueError(f"it has no tensor {name!r}")
        shape = tuple(self.tensors[name].shape)
        if len(shape) != num_dimensions:
            raise ValueError(f"{name!r} has shape {list(shape)}, wanted {num_dimensions} sizes")
        return shape

    def count(self, prefix: str, end: str = ".") -> int:
        """One more than the highest number that stands after ``prefix``, before ``end`` or last."""
        numbers = (
            name.removeprefix(prefix).partition(end)[0]
            for name in self.tensors
            if name.startswith(prefix)
        )
        return 1 + max((int(n) for n in numbers if n.isdecimal() and len(n) < 5), default=-1)

    def take(self, name: str, *wanted: int) -> Tensor:
        """A tensor in float32; ValueError if it is missing or misshapen."""
        if name not in self.tensors:
            raise ValueError(f"it has no tensor {name!r}")
        tensor = self.tensors[name]
        if tuple(tensor.shape) != wanted:
            raise ValueError(f"{name!r} has shape {list(tensor.shape)}, wanted {list(wanted)}")
        self.left.pop(name, None)
        return tensor.float()

    def pop(self, name: str, num_dimensions: int) -> Tensor:
        """A tensor of any sizes in float32; ValueError if it is missing or misshapen."""
        return self.take(name, *self.shape(name, num_dimensions))

    def finish(self) -> None:
        """ValueError names the first tensor that nothing took."""
        for name in self.left:
            raise ValueError(f"it has no place for {name!r}")
