"""Checkpoints of our own networks (safetensors with sizes and a card), and other people's pickles.

A checkpoint carries the sizes of its network as JSON, so that the network can be built before
the tensors are loaded into it.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from megafs_video.errors import WeightsError
from megafs_video.weights.cache import landing, sha256_of
from megafs_video.weights.header import read_header


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The tensors of one network, what kind of network it is, its sizes and its card."""

    kind: str  # "encoder", "transfer", …
    dims_json: str  # ``Dims.to_json()``
    tensors: Mapping[str, Tensor]
    card: Mapping[str, str]  # what a person should know: data, licence, scores


def save_checkpoint(
    path: Path,
    tensors: Mapping[str, Tensor],
    *,
    kind: str,
    dims_json: str,
    card: Mapping[str, str],
) -> None:
    """Write a checkpoint whole or not at all; WeightsError if the folder cannot be written."""
    if not kind:
        raise ValueError("kind is empty, wanted a word such as 'encoder'")
    _json_table(dims_json)
    metadata = {"kind": kind, "dims": dims_json, "card": json.dumps(dict(card))}
    # Copies, because tensors that share memory or are views cannot be stored.
    stored = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    with landing(path) as file:
        file.write(safetensors.torch.save(stored, metadata=metadata))


def load_checkpoint(path: Path, *, kind: str | None = None) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    WeightsError if the file is missing or damaged, has no sizes, or is not of the wanted kind.
    """
    metadata = read_header(path).metadata
    found = metadata.get("kind")
    if not found:
        raise WeightsError(f"{path} is no checkpoint of megafs-video: it does not say its kind")
    if kind is not None and found != kind:
        raise WeightsError(f"{path} holds a network of kind {found!r}, wanted {kind!r}")
    try:
        dims_json = metadata["dims"]
        _json_table(dims_json)
        card = _json_table(metadata.get("card", "{}"))
    except (KeyError, ValueError, TypeError) as error:
        raise WeightsError(
            f"{path} does not carry the sizes of its network or its card ({error}); get it again"
        ) from error
    try:
        tensors = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is damaged ({error}); get it again") from error
    return Checkpoint(
        kind=found,
        dims_json=dims_json,
        tensors=tensors,
        card={str(name): str(text) for name, text in card.items()},
    )


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load tensors into a module whose names and shapes must be the same (see ``check_fit``)."""
    check_fit(module, tensors, path)
    module.load_state_dict(dict(tensors))


def check_fit(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """WeightsError names the first tensor that is missing, has another shape, or has no place.

    ``path`` is where they came from, for the message.
    """
    wanted = module.state_dict()
    for name, place in wanted.items():
        if name not in tensors:
            raise WeightsError(f"{path} does not fit the network: it has no tensor {name!r}")
        if tensors[name].shape != place.shape:
            raise WeightsError(
                f"{path} does not fit the network: {name!r} has shape "
                f"{list(tensors[name].shape)}, wanted {list(place.shape)}"
            )
    for name in tensors:
        if name not in wanted:
            raise WeightsError(f"{path} does not fit the network: it has no place for {name!r}")


def load_pickle(path: Path, *, sha256: str) -> Any:
    """What ``read_pickle`` finds in a file that has the sha256; WeightsError if it has another."""
    found = sha256_of(path)
    if found != sha256:
        raise WeightsError(
            f"{path} is damaged (sha256 {found[:8]}, wanted {sha256[:8]}); "
            "run: megafs-video models fetch"
        )
    return read_pickle(path)


def read_pickle(path: Path) -> Any:
    """What ``torch.save`` wrote, read onto the CPU by torch's allow-listing unpickler.

    WeightsError unless the file holds nothing but tensors and plain values; it names what else.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        LookupError,
        ValueError,
        EOFError,
        OSError,
    ) as error:
        # torch's first line gives advice that would run the file; what it met comes later.
        met = re.search(r"Unsupported [^\n]*?(?= was not|\n|$)", str(error))
        reason = met.group() if met else str(error).partition("\n")[0]
        raise WeightsError(f"{path} is not a file of plain tensors ({reason})") from error


def _json_table(text: str) -> dict[str, Any]:
    table = json.loads(text)
    if not isinstance(table, dict):
        raise TypeError(f"{text[:40]!r} is not a JSON table")
    return table
