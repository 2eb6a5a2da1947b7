"""A training run from folders of pictures to a checkpoint: fetch, read, draw, train, save."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import torch

from megafs_video.allocator import keep_freed_memory
from megafs_video.errors import OutputError
from megafs_video.networks.dims import Dims
from megafs_video.networks.encoder import Encoder
from megafs_video.networks.frozen import freeze, to_channels_last
from megafs_video.networks.transfer import FaceTransfer
from megafs_video.parts import (
    build_arcface,
    build_generator,
    build_landmarks,
    build_lpips,
    build_style_mapper,
    load_encoder,
    read_backbone_state,
)
from megafs_video.training.config import EncoderConfig, TransferConfig
from megafs_video.training.encoder import EncoderTask, fresh_encoder
from megafs_video.training.faces import list_faces, read_faces
from megafs_video.training.head import PictureHead, check_num_rendered, fit_picture_head
from megafs_video.training.loop import Progress, train
from megafs_video.training.rendered import RenderedFaces, render_faces, style_statistics
from megafs_video.training.teachers import Teachers
from megafs_video.training.transfer import Swapper, TransferTask, encode_faces
from megafs_video.weights.cache import sha256_of
from megafs_video.weights.checkpoint import save_checkpoint
from megafs_video.weights.fetch import ensure

NAMES = (
    "generator-synthesis-xml",
    "generator-synthesis-bin",
    "generator-mapping-xml",
    "generator-mapping-bin",
    "arcface-mbf",
    "landmarks-106",
    "lpips-alex",
)
NUM_VALIDATION = 16  # faces of the sheets


def load_teachers(
    dims: Dims, *, offline: bool = False, say: Callable[[str], None] = print
) -> Teachers:
    """Fetch what is missing, after saying so, and build every frozen network."""
    paths = ensure(NAMES, offline=offline, announce=say)
    return Teachers(
        build_generator(paths["generator-synthesis-xml"], paths["generator-synthesis-bin"], dims),
        build_style_mapper(paths["generator-mapping-xml"], paths["generator-mapping-bin"], dims),
        build_arcface(paths["arcface-mbf"]),
        build_landmarks(paths["landmarks-106"]),
        build_lpips(paths["lpips-alex"]),
    )


def _prepare(
    folders: list[Path], output: Path, config: EncoderConfig | TransferConfig
) -> tuple[list[Path], list[Path]]:
    """Faces to train on and faces of the sheets; what can be refused is refused here."""
    paths = [path for folder in folders for path in list_faces(folder, validation=False)]
    held_out = list_faces(folders[0], validation=True)[:NUM_VALIDATION]
    check_num_rendered(config.num_rendered)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output} cannot be made: {error.strerror}") from error
    return paths, held_out


def prepare_rendered(
    output: Path,
    teachers: Teachers,
    config: EncoderConfig | TransferConfig,
    say: Callable[[str], None],
) -> tuple[RenderedFaces, PictureHead]:
    """Draw the faces whose codes are known and fit the picture head on them."""
    say(f"drawing {config.num_rendered} faces with known codes (kept in {output / 'rendered'})")
    rendered = render_faces(
        output / "rendered",
        teachers.generator,
        teachers.mapper,
        count=config.num_rendered,
        seed=config.seed + 1,
    )
    head, error = fit_picture_head(teachers.generator, rendered)
    say(f"picture head fitted: mean squared error {error:.4f} on 20 other faces")
    return rendered, head


def train_encoder(
    folders: list[Path],
    output: Path,
    config: EncoderConfig,
    *,
    dims: Dims | None = None,
    start: Path | None = None,
    offline: bool = False,
    say: Callable[[str], None] = print,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Path:
    """Train HieRFE on aligned faces; returns ``output/encoder.safetensors`` (fp16 average).

    folders: aligned 256 px faces; those kept for validation by name are never trained on.
    start: a checkpoint whose weights the run starts from, instead of ``dims`` and fresh ones.
    """
    keep_freed_memory()
    torch.manual_seed(config.seed)
    paths, held_out = _prepare(folders, output, config)
    if start is None:
        ensure(["parser"], offline=offline, announce=say)
    started = None if start is None else load_encoder(start)
    dims = dims or Dims() if started is None else started.dims
    teachers = load_teachers(dims, offline=offline, say=say)
    rendered, head = prepare_rendered(output, teachers, config, say)
    say(f"reading {len(paths)} faces")
    faces, validation = read_faces(paths, dims.crop_size), read_faces(held_out, dims.crop_size)

    encoder = started or _fresh_encoder(dims, teachers, offline=offline, say=say)
    to_channels_last(encoder.requires_grad_(requires_grad=True).train())

    average = freeze(deepcopy(encoder))
    task = EncoderTask(
        encoder,
        config=config,
        rendered=rendered,
        faces=faces,
        validation=validation,
        head=head,
        teachers=teachers,
    )
    inputs = fingerprint(paths, start)
    train(task, average, config, output, report, inputs=inputs)
    return _ship(average, output / "encoder.safetensors", dims, "encoder", config, len(paths))


def _fresh_encoder(
    dims: Dims, teachers: Teachers, *, offline: bool, say: Callable[[str], None]
) -> Encoder:
    """HieRFE around the mean face, its backbone from face parsing where the widths agree."""
    mean, scale = style_statistics(teachers.mapper, dims.style_size)
    samples = teachers.mapper(torch.randn(5000, dims.style_size))
    encoder = Encoder(dims)
    fresh_encoder(encoder, teachers.generator.constant, mean, scale, samples)
    warm = read_backbone_state(ensure(["parser"], offline=offline)["parser"])
    own = encoder.backbone.state_dict()
    fitting = {name: t for name, t in warm.items() if name in own and own[name].shape == t.shape}
    encoder.backbone.load_state_dict(fitting, strict=False)
    say(f"backbone starts from face parsing: {len(fitting)} of {len(own)} tensors")
    return encoder


def train_transfer(
    folders: list[Path],
    output: Path,
    encoder_checkpoint: Path,
    config: TransferConfig,
    *,
    offline: bool = False,
    say: Callable[[str], None] = print,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Path:
    """Train FTM and the heads of a finished HieRFE; returns ``output/transfer.safetensors``.

    The encoder with its new heads lands beside it, as ``output/encoder.safetensors``.
    """
    keep_freed_memory()
    torch.manual_seed(config.seed)
    paths, held_out = _prepare(folders, output, config)
    encoder = load_encoder(encoder_checkpoint)
    dims = encoder.dims
    teachers = load_teachers(dims, offline=offline, say=say)
    rendered, head = prepare_rendered(output, teachers, config, say)
    say(f"reading the codes of {len(paths)} faces")
    faces, validation = (
        encode_faces(read_faces(chosen, dims.crop_size), encoder, teachers)
        for chosen in (paths, held_out)
    )
    transfer = FaceTransfer(dims)
    transfer.style_mean.copy_(encoder.style_mean)
    transfer.style_scale.copy_(encoder.style_scale)
    swapper = Swapper(encoder, transfer)
    average = freeze(deepcopy(swapper))
    task = TransferTask(
        swapper,
        config=config,
        faces=faces,
        rendered=rendered,
        validation=validation,
        head=head,
        teachers=teachers,
    )
    inputs = fingerprint(paths, encoder_checkpoint)
    train(task, average, config, output, report, inputs=inputs)
    _ship(average.encoder, output / "encoder.safetensors", dims, "encoder", config, len(paths))
    return _ship(
        average.transfer, output / "transfer.safetensors", dims, "transfer", config, len(paths)
    )


def fingerprint(faces: list[Path], start: Path | None) -> str:
    """What a run is trained on, in a few letters: its faces and the weights at its start."""
    names = "\n".join(f"{path.parent.name}/{path.name}" for path in faces)
    begun = "fresh" if start is None else sha256_of(start)[:16]
    return f"{len(faces)} faces {hashlib.sha256(names.encode()).hexdigest()[:16]}, {begun}"


def _ship(
    module: torch.nn.Module,
    path: Path,
    dims: Dims,
    kind: str,
    config: EncoderConfig | TransferConfig,
    num_faces: int,
) -> Path:
    tensors = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in module.state_dict().items()
    }
    card = {"config": repr(config), "num_training_faces": str(num_faces)}
    save_checkpoint(path, tensors, kind=kind, dims_json=dims.to_json(), card=card)
    return path
