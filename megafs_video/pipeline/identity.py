"""What a run is made of: two runs of which all this is the same write the same pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from megafs_video.pipeline.options import SwapOptions
from megafs_video.pipeline.prepare import Cast, Source, SourceMap
from megafs_video.video.sequence import Footage

# Options that say how a run goes, not what it writes.
_LEFT_OUT = {"overwrite", "offline", "resume"}
# Another release may round, compress or find faces in another way.
_LIBRARIES = (
    *("av", "insightface", "mediapipe", "numpy", "onnxruntime", "opencv-python", "openvino"),
    *("scipy", "torch", "megafs-video"),
)


def identity_of(
    cast: Cast,
    source: Source | SourceMap,
    target: Footage,
    options: SwapOptions,
    *,
    swapper: str,
) -> dict[str, str]:
    """Everything that the pictures of a run depend on, as people call it.

    Files count by what is in them (sha256), wherever they lie.
    """
    device = cast.model.device
    settings = {each.name: getattr(options, each.name) for each in fields(options)}
    return {
        "the target": _sha256_of_footage(target),
        "the source": _sha256_of_source(source),
        **{
            name: _sha256(value) if isinstance(value, Path) else str(value)
            for name, value in settings.items()
            if name not in _LEFT_OUT
        },
        "batch_size": str(options.faces_per_batch(device.type)),
        "device": str(device),
        "precision": str(cast.model.dtype),
        "engine": cast.model.engine,
        "threads": str(torch.get_num_threads()),
        "model": cast.model.name,
        "swapper": swapper,
        **{f"file {name}": sha256 for name, sha256 in cast.model.hashes.items()},
        **{f"file {name}": sha256 for name, sha256 in cast.finders.hashes.items()},
        **{name: _version(name) for name in _LIBRARIES},
    }


def _sha256_of_footage(target: Footage) -> str:
    if isinstance(target, Path):
        return _sha256(target)
    parts = [str(target.rate), *map(_sha256, target.paths())]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _sha256_of_source(source: Source | SourceMap) -> str:
    if isinstance(source, Mapping):
        parts = [_sha256_of_source(each) for pair in source.items() for each in pair]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()
    if isinstance(source, (str, Path)):
        return _sha256(Path(source))
    return hashlib.sha256(source.tobytes()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"
