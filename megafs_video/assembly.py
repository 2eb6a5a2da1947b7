"""Networks that belong together: a model by its name, or from a folder of one of three kinds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from megafs_video.errors import InputNotFoundError, WeightsError
from megafs_video.networks.dims import Dims
from megafs_video.networks.encoder import Encoder
from megafs_video.networks.frozen import ArcFace, Landmarks106
from megafs_video.networks.generator import Generator
from megafs_video.networks.hierfe import HieRFE
from megafs_video.networks.injection import IdInjection
from megafs_video.networks.stylegan2 import StyleGan2
from megafs_video.networks.transfer import FaceTransfer
from megafs_video.parts import (
    build_arcface,
    build_generator,
    build_landmarks,
    build_paper,
    load_encoder,
    load_paper,
    load_transfer,
    read_dims,
)
from megafs_video.published import read_published
from megafs_video.weights.bundled import bundled_path
from megafs_video.weights.cache import sha256_of
from megafs_video.weights.fetch import ensure
from megafs_video.weights.folder import is_official

SWAPPER_KINDS = {"ftm": "transfer", "injection": "injection"}
"""The kind of network that a swapper is; LCR has no weights."""


@dataclass(frozen=True, eq=False)
class Networks:
    """What a model computes with, frozen and on the CPU."""

    dims: Dims
    hashes: Mapping[str, str]  # sha256 of each weight file, by name
    encoder: Encoder | HieRFE
    transferrer: FaceTransfer | IdInjection | None  # None for LCR
    generator: Generator | StyleGan2
    arcface: ArcFace | None = None  # of an encoder that hears who the person is
    landmarks: Landmarks106 | None = None  # of one that hears where the face's points are


def assemble(name_or_folder: str | Path, swapper: str, *, offline: bool) -> Networks:
    """Networks of a model; see ``load_model`` for what a folder may hold and for the errors."""
    if is_official(Path(name_or_folder)):
        return _from_published(Path(name_or_folder), swapper)
    if read_dims(_file(name_or_folder, "encoder")).family == "paper":
        return _from_converted(name_or_folder, swapper)
    return _from_trained(name_or_folder, swapper, offline=offline)


def _from_published(folder: Path, swapper: str) -> Networks:
    """The paper's model from the published files."""
    found = read_published(folder, swapper)
    networks = {
        kind: build_paper(kind, state, found.dims, found.paths[kind])
        for kind, state in found.states.items()
    }
    hashes = {path.name: sha256_of(path) for path in dict.fromkeys(found.paths.values())}
    return _paper(networks, found.dims, hashes)


def _from_converted(folder: str | Path, swapper: str) -> Networks:
    """The paper's model from what ``models convert`` wrote."""
    kinds = ["encoder", "generator"]
    if swapper in SWAPPER_KINDS:
        kinds.append(SWAPPER_KINDS[swapper])
    paths = {kind: _file(folder, kind) for kind in kinds}
    networks = {kind: load_paper(path, kind=kind) for kind, path in paths.items()}
    dims = networks["encoder"].dims
    for kind, network in networks.items():
        if network.dims != dims:
            raise WeightsError(f"{paths[kind]} is of another model than {paths['encoder']}")
    return _paper(networks, dims, {kind: sha256_of(path) for kind, path in paths.items()})


def _paper(
    networks: Mapping[str, HieRFE | FaceTransfer | IdInjection | StyleGan2],
    dims: Dims,
    hashes: Mapping[str, str],
) -> Networks:
    transferrer = networks.get("transfer") or networks.get("injection")
    return Networks(
        dims=dims,
        hashes=hashes,
        encoder=cast("HieRFE", networks["encoder"]),
        transferrer=cast("FaceTransfer | IdInjection | None", transferrer),
        generator=cast("StyleGan2", networks["generator"]),
    )


def _from_trained(name_or_folder: str | Path, swapper: str, *, offline: bool) -> Networks:
    """Our own model in front of the default generator, which is fetched."""
    encoder_path = _file(name_or_folder, "encoder")
    encoder = load_encoder(encoder_path)
    dims = encoder.dims
    hashes = {"encoder": sha256_of(encoder_path)}

    transferrer = None
    if swapper == "ftm":
        transfer_path = _file(name_or_folder, "transfer")
        transferrer = load_transfer(transfer_path)
        if transferrer.dims != dims:
            raise WeightsError(
                f"{transfer_path} was trained for an encoder of other sizes than {encoder_path}; "
                "train it on this encoder"
            )
        hashes["transfer"] = sha256_of(transfer_path)

    names = ["generator-synthesis-xml", "generator-synthesis-bin"]
    if dims.identity_size:
        names.append("arcface-mbf")
    if dims.num_landmarks:
        names.append("landmarks-106")
    paths = ensure(names, offline=offline)
    return Networks(
        dims=dims,
        hashes=hashes | {name: sha256_of(path) for name, path in paths.items()},
        encoder=encoder,
        transferrer=transferrer,
        generator=build_generator(
            paths["generator-synthesis-xml"], paths["generator-synthesis-bin"], dims
        ),
        arcface=build_arcface(paths["arcface-mbf"]) if dims.identity_size else None,
        landmarks=build_landmarks(paths["landmarks-106"]) if dims.num_landmarks else None,
    )


def _file(name_or_folder: str | Path, kind: str) -> Path:
    file_name = f"{kind}.safetensors"
    if str(name_or_folder) == "mobile":
        return bundled_path(f"mobile/{file_name}")
    path = Path(name_or_folder) / file_name
    if not path.is_file():
        raise InputNotFoundError(
            f"no model at {os.fspath(name_or_folder)}: {file_name} is missing; "
            "give mobile, a folder that megafs-video train or models convert made, or one with "
            "the published files"
        )
    return path
