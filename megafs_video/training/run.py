"""A training run from folders of pictures to a checkpoint: fetch, read, draw, train, save."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor

from megafs_video.allocator import keep_freed_memory
from megafs_video.devices import choose_device
from megafs_video.errors import ConfigError, OutputError
from megafs_video.networks.dims import Dims
from megafs_video.networks.encoder import Encoder
from megafs_video.networks.frozen import freeze
from megafs_video.networks.order import to_channels_last
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
from megafs_video.training.encoder import EncoderTask, Learner, fresh_corrector, fresh_encoder
from megafs_video.training.faces import list_faces, read_faces
from megafs_video.training.head import (
    NUM_BLOCKS,
    PictureHead,
    check_num_rendered,
    fit_picture_head,
)
from megafs_video.training.loop import UNREADABLE, Progress, train
from megafs_video.training.rendered import RenderedFaces, render_faces, style_statistics
from megafs_video.training.teachers import Teachers
from megafs_video.training.transfer import Swapper, TransferTask
from megafs_video.weights.cache import sha256_of
from megafs_video.weights.checkpoint import load_checkpoint, save_checkpoint
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
    num_blocks = config.head_blocks if isinstance(config, EncoderConfig) else NUM_BLOCKS
    head, error = fit_picture_head(teachers.generator, rendered, num_blocks)
    say(f"picture head fitted: mean squared error {error:.4f} on 20 other faces")
    return rendered, head


def train_encoder(
    folders: list[Path],
    output: Path,
    config: EncoderConfig,
    *,
    dims: Dims | None = None,
    start: Path | None = None,
    device: str = "cpu",
    offline: bool = False,
    say: Callable[[str], None] = print,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Path:
    """Train HieRFE on aligned faces; returns ``output/encoder.safetensors`` (fp16 average).

    folders: aligned 256 px faces; those kept for validation by name are never trained on.
    start: weights that the run starts from, as far as they fit ``dims``; what does not fit starts
    fresh. A finished encoder, or ``last.pt`` of a run of other settings. device: as ``load_model``.
    """
    keep_freed_memory()
    chosen_device = choose_device(device)
    torch.manual_seed(config.seed)
    paths, held_out = _prepare(folders, output, config)
    if start is None:
        ensure(["parser"], offline=offline, announce=say)
    dims = dims or Dims()
    teachers = load_teachers(dims, offline=offline, say=say).to(chosen_device)
    rendered, head = prepare_rendered(output, teachers, config, say)
    say(f"reading {len(paths)} faces")
    faces, validation = read_faces(paths, dims.crop_size), read_faces(held_out, dims.crop_size)

    encoder = _fresh_encoder(dims, teachers, rendered)
    if start is None:
        warm = read_backbone_state(ensure(["parser"], offline=offline)["parser"])
        say(f"backbone starts from face parsing: {_take_over(encoder.backbone, warm)}")
    else:
        found, of_head = read_start(start)
        say(f"encoder starts from {start}: {_take_over(encoder, found)}")
        _take_over(head, of_head)
    learner = Learner(encoder, head).to(chosen_device)
    to_channels_last(learner.requires_grad_(requires_grad=True).train())
    average = freeze(deepcopy(learner))
    task = EncoderTask(
        learner,
        config=config,
        rendered=rendered,
        faces=faces,
        validation=validation,
        teachers=teachers,
    )
    inputs = fingerprint(paths, start)
    train(task, average, config, output, report, inputs=inputs)
    return _ship(
        average.encoder, output / "encoder.safetensors", dims, "encoder", config, len(paths)
    )


def _fresh_encoder(dims: Dims, teachers: Teachers, rendered: RenderedFaces) -> Encoder:
    """HieRFE around the mean face."""
    mean, scale = style_statistics(teachers.mapper, dims.style_size)
    samples = teachers.mapper(torch.randn(5000, dims.style_size))
    encoder = Encoder(dims)
    fresh_encoder(encoder, teachers.generator.constant, mean, scale, samples)
    if encoder.corrector is not None:
        fresh_corrector(encoder.corrector, teachers.generator, rendered)
    return encoder


def read_start(path: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """An encoder's tensors by name, and those of the picture head that followed it, if any.

    path: an encoder, or ``last.pt`` of a run. ConfigError if a ``last.pt`` is damaged or of
    another training; WeightsError for other files.
    """
    if path.suffix != ".pt":
        return dict(load_checkpoint(path, kind="encoder").tensors), {}
    try:
        average = torch.load(path, map_location="cpu", weights_only=True)["average"]
        encoder, head = (_part(average, prefix) for prefix in ("encoder.", "head."))
    except UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"{path} is no checkpoint of a run ({reason})") from error
    if not encoder:
        raise ConfigError(f"{path} holds no encoder; give last.pt of megafs-video train encoder")
    return encoder, head


def _finished_encoder(path: Path, dims: Dims) -> tuple[Encoder, dict[str, Tensor]]:
    """An encoder, and the tensors of the picture head that followed it, if ``path`` is a run's.

    dims: of an encoder that a run's ``last.pt`` holds, which does not say.
    """
    if path.suffix != ".pt":
        return load_encoder(path), {}
    found, of_head = read_start(path)
    encoder = Encoder(dims)
    try:
        encoder.load_state_dict(found)
    except UNREADABLE as error:
        raise ConfigError(
            f"{path} holds an encoder of other dims; give its encoder.safetensors"
        ) from error
    return encoder, of_head


def _part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }


def _take_over(module: torch.nn.Module, state: dict[str, Tensor]) -> str:
    """Load the tensors of ``state`` that fit the module, and say how many do."""
    own = module.state_dict()
    fitting = {name: t for name, t in state.items() if name in own and own[name].shape == t.shape}
    module.load_state_dict(fitting, strict=False)
    return f"{len(fitting)} of {len(own)} tensors"


def train_transfer(
    folders: list[Path],
    output: Path,
    encoder_checkpoint: Path,
    config: TransferConfig,
    *,
    dims: Dims | None = None,
    device: str = "cpu",
    offline: bool = False,
    say: Callable[[str], None] = print,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Path:
    """Train FTM beside a HieRFE that learns on; returns ``output/transfer.safetensors``.

    encoder_checkpoint: a finished encoder, or ``last.pt`` of its run, with the picture head that
    followed it. HieRFE lands beside FTM, as ``output/encoder.safetensors``.
    device: as in ``load_model``.
    """
    keep_freed_memory()
    chosen_device = choose_device(device)
    torch.manual_seed(config.seed)
    paths, held_out = _prepare(folders, output, config)
    encoder, of_head = _finished_encoder(encoder_checkpoint, dims or Dims())
    dims = encoder.dims
    teachers = load_teachers(dims, offline=offline, say=say).to(chosen_device)
    rendered, head = prepare_rendered(output, teachers, config, say)
    _take_over(head, of_head)
    say(f"reading {len(paths)} faces")
    faces, validation = read_faces(paths, dims.crop_size), read_faces(held_out, dims.crop_size)
    transfer = FaceTransfer(dims)
    transfer.style_mean.copy_(encoder.style_mean)
    transfer.style_scale.copy_(encoder.style_scale)
    swapper = Swapper(encoder, transfer, head).to(chosen_device)
    to_channels_last(swapper.requires_grad_(requires_grad=True).train())
    average = freeze(deepcopy(swapper))
    task = TransferTask(
        swapper,
        config=config,
        rendered=rendered,
        faces=faces,
        validation=validation,
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
        name: (tensor.half() if tensor.is_floating_point() else tensor).cpu()
        for name, tensor in module.state_dict().items()
    }
    card = {"config": repr(config), "num_training_faces": str(num_faces)}
    save_checkpoint(path, tensors, kind=kind, dims_json=dims.to_json(), card=card)
    return path
