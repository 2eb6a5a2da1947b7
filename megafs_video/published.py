"""The paper's model from files in the published layouts: sizes and weights, laid out for speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from megafs_video.errors import InputNotFoundError, OutputError, WeightsError
from megafs_video.networks import nvidia
from megafs_video.networks.dims import Dims
from megafs_video.networks.layout import Layout
from megafs_video.networks.official import ftm_state, hierfe_state, injection_state, official_dims
from megafs_video.networks.rosinality import generator_channels, stylegan2_state
from megafs_video.weights.cache import sha256_of
from megafs_video.weights.checkpoint import read_pickle, save_checkpoint
from megafs_video.weights.folder import official_generator, official_swapper
from megafs_video.weights.nvidia import read_nvidia

State = Mapping[str, Tensor]

KINDS = {
    "ftm": ("encoder", "transfer", "generator"),
    "injection": ("encoder", "injection", "generator"),
    "lcr": ("encoder", "generator"),
}
"""The networks of a model by its swapper."""
NETWORKS = {
    "encoder": "HieRFE (paper, section 3.1)",
    "transfer": "FTM (paper, section 3.2)",
    "injection": "ID Injection (paper, Fig. 8)",
    "generator": "StyleGAN2",
}


@dataclass(frozen=True, eq=False)
class Published:
    """A published model, read whole and found sound."""

    dims: Dims
    states: Mapping[str, State]  # by kind of network: "encoder", "transfer", …, "generator"
    paths: Mapping[str, Path]  # the file that each came from


def read_published(folder: Path, swapper: str) -> Published:
    """HieRFE, a swapper and a StyleGAN2 from a folder with the published files.

    InputNotFoundError if a file is missing; WeightsError with the first tensor that is missing,
    misshapen or has no place, or with what a file holds that is no tensor.
    """
    path = official_swapper(folder, swapper)
    if not path.is_file():
        raise InputNotFoundError(
            f"no swapper {swapper!r} in {folder}: {path.name} is missing; "
            "choose another swapper or add the file"
        )
    generator_path = official_generator(folder)
    generator = read_generator(generator_path)
    parts = read_pickle(path)
    encoder, weights = _part(parts, "e", path), _part(parts, "s", path)
    try:
        dims = official_dims(encoder, weights, generator)
        constant = generator["input.input"].float()
        states = {"encoder": hierfe_state(encoder, dims, constant)}
        if swapper == "ftm":
            states["transfer"] = ftm_state(weights, dims)
        elif swapper == "injection":
            states["injection"] = injection_state(weights, dims)
        elif weights:
            raise ValueError(f"it has no place for {next(iter(weights))!r}")
    except ValueError as error:
        raise WeightsError(f"{path} is not {swapper} in the published layout: {error}") from error
    try:
        states["generator"] = stylegan2_state(generator, dims)
    except ValueError as error:
        called = " (as rosinality names it)" if generator_path.suffix == ".pkl" else ""
        raise WeightsError(
            f"{generator_path} is not a StyleGAN2 generator: {error}{called}"
        ) from error
    paths = {kind: generator_path if kind == "generator" else path for kind in states}
    return Published(dims, states, paths)


def read_generator(path: Path) -> State:
    """A StyleGAN2 in the rosinality layout, from such a file ("g_ema") or from NVIDIA's .pkl.

    WeightsError if the file is damaged or holds something else.
    """
    if path.suffix != ".pkl":
        return _part(read_pickle(path), "g_ema", path)
    found = read_nvidia(path)
    try:
        if "synthesis.b4.const" in found:
            return nvidia.from_torch(found)
        return nvidia.from_tensorflow(found)
    except ValueError as error:
        raise WeightsError(f"{path} is not a StyleGAN2 generator: {error}") from error


def convert_published(folder: Path, output: Path, swapper: str) -> tuple[Path, ...]:
    """Write a published model as checkpoints of ours into ``output``; the paths of all.

    Weights are stored as they are computed with (folded, float32). Errors are those of
    ``read_published``; OutputError if a checkpoint is there already.
    """
    targets = {kind: output / f"{kind}.safetensors" for kind in KINDS[swapper]}
    for target in targets.values():
        if target.exists():
            raise OutputError(f"{target} exists; remove it or choose another folder")
    found = read_published(folder, swapper)
    for kind, target in targets.items():
        source = found.paths[kind]
        card = {
            "network": NETWORKS[kind],
            "converted_from": source.name,
            "converted_from_sha256": sha256_of(source),
            "licence": "that of the file it was converted from",
        }
        save_checkpoint(
            target, found.states[kind], kind=kind, dims_json=found.dims.to_json(), card=card
        )
    return tuple(targets.values())


def describe_published(path: Path) -> dict[str, object]:
    """What is in a published file, by words; WeightsError if it is not one."""
    content = None if path.suffix == ".pkl" else read_pickle(path)
    if content is None or (isinstance(content, dict) and "g_ema" in content):
        generator = read_generator(path) if content is None else _part(content, "g_ema", path)
        return _generator_fields(generator, path)
    encoder, swapper = _part(content, "e", path), _part(content, "s", path)
    layout = Layout(encoder)
    name = "FTM" if "weight" in swapper else "ID Injection" if swapper else "LCR, no weights"
    return {
        "holds": f"HieRFE and a swapper ({name}) in the published layout",
        "codes": " + ".join(str(layout.count(f"mapping{group}.")) for group in (1, 2, 3)),
        "constant": "predicted (W++)" if layout.count("fpn.output") > 4 else "none (W+)",
        "parameters": _num_parameters(encoder) + _num_parameters(swapper),
    }


def _generator_fields(generator: State, path: Path) -> dict[str, object]:
    try:
        channels = generator_channels(generator)
    except ValueError as error:
        raise WeightsError(f"{path} is not a StyleGAN2 generator: {error}") from error
    return {
        "holds": "a StyleGAN2 generator",
        "resolution": 2 << len(channels),
        "codes": 2 * len(channels),
        "channels": ", ".join(map(str, channels)),
        "parameters": _num_parameters(generator),
    }


def _num_parameters(state: State) -> int:
    return sum(tensor.numel() for tensor in state.values())


def _part(content: Any, name: str, path: Path) -> State:
    """One state dict of a published file; WeightsError if there is none of that name."""
    part = content.get(name) if isinstance(content, dict) else None
    if not isinstance(part, dict):
        raise WeightsError(f"{path} is not in the published layout: it has no part {name!r}")
    for key, tensor in part.items():
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            raise WeightsError(f"{path} is not in the published layout: {key!r} is no tensor")
    return part
