"""Read what a safetensors file says about itself, without reading a tensor and without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from megafs_video.errors import WeightsError

MAX_HEADER_BYTES = 16 * 2**20


@dataclass(frozen=True)
class TensorInfo:
    """The type and the shape of one tensor of a file."""

    dtype: str  # as safetensors calls it: "F16", "F32", …
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Header:
    """The tensors of a file by name, and the words that were stored with them."""

    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str]

    @property
    def num_parameters(self) -> int:
        """Numbers in all tensors together."""
        return sum(prod(tensor.shape) for tensor in self.tensors.values())


def read_header(path: Path) -> Header:
    """The header of a safetensors file; WeightsError if the file is missing or damaged."""
    try:
        with path.open("rb") as file:
            size_bytes = path.stat().st_size
            header_bytes = int.from_bytes(file.read(8), "little")
            if not 2 <= header_bytes <= min(size_bytes - 8, MAX_HEADER_BYTES):
                raise WeightsError(
                    f"{path} is damaged or no safetensors file: its header would have "
                    f"{header_bytes} bytes of {size_bytes}; get it again"
                )
            text = file.read(header_bytes)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return _parse(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WeightsError(
            f"{path} is damaged or no safetensors file: its header cannot be read; get it again"
        ) from error


def _parse(found: dict[str, Any]) -> Header:
    metadata = found.pop("__metadata__", {})
    return Header(
        tensors={
            name: TensorInfo(str(tensor["dtype"]), tuple(int(size) for size in tensor["shape"]))
            for name, tensor in found.items()
        },
        metadata={str(name): str(text) for name, text in metadata.items()},
    )
