"""A training run from folders of pictures to a checkpoint: fetch, read, draw, train, save."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor

from megafs_video.allocator import keep_freed_memory
from megafs_video.devices import choose_device
from megafs_video.errors import OutputError
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
    build_mesh478,
    build_sface,
    build_style_mapper,
    read_backbone_state,
)
from megafs_video.training.config import EncoderConfig, TransferConfig
from megafs_video.training.encoder import EncoderTask, Learner, fresh_corrector, fresh_encoder
from megafs_video.training.faces import list_faces, read_faces
from megafs_video.training.head import NUM_BLOCKS, PictureHead
from megafs_video.training.keep import prepare_keeper
from megafs_video.training.lead import prepare_lead
from megafs_video.training.loop import Progress, train
from megafs_video.training.readouts import (
    NUM_FITTED,
    NUM_HELD_OUT,
    Drawn,
    check_num_rendered,
    fit_readout,
    joined,
    of_encoder,
    of_rendered,
)
from megafs_video.training.rendered import RenderedFaces, render_faces, style_statistics
from megafs_video.training.spans import prepare_spans
from megafs_video.training.start import (
    change_start,
    fingerprint,
    finished_encoder,
    grown,
    hears_spans,
    read_start,
    take_over,
)
from megafs_video.training.teachers import Teachers
from megafs_video.training.transfer import Swapper, TransferTask
from megafs_video.values import UInt8Array
from megafs_video.weights.checkpoint import load_checkpoint, save_checkpoint
from megafs_video.weights.fetch import ensure

NAMES = (
    "generator-synthesis-xml",
    "generator-synthesis-bin",
    "generator-mapping-xml",
    "generator-mapping-bin",
    "arcface-mbf",
    "landmarks-106",
    "face-mesh",
    "lpips-alex",
)
NUM_VALIDATION = 16  # faces of the sheets


def load_teachers(
    dims: Dims,
    *,
    identity_network: str = "arcface-mbf",
    offline: bool = False,
    say: Callable[[str], None] = print,
) -> Teachers:
    """Fetch what is missing, after saying so, and build every frozen network.

    identity_network: that the identity loss asks, one of ``config.IDENTITY_NETWORKS``.
    """
    paths = ensure((*NAMES, identity_network), offline=offline, announce=say)
    return Teachers(
        build_generator(paths["generator-synthesis-xml"], paths["generator-synthesis-bin"], dims),
        build_style_mapper(paths["generator-mapping-xml"], paths["generator-mapping-bin"], dims),
        build_arcface(paths["arcface-mbf"]),
        build_landmarks(paths["landmarks-106"]),
        build_mesh478(paths["face-mesh"]),
        build_lpips(paths["lpips-alex"]),
        build_sface(paths["sface"]) if identity_network == "sface" else None,
    )


def _device(name: str) -> torch.device:
    """Where to train; a graphics card multiplies in TF32, as its convolutions do anyway."""
    device = choose_device(name)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    return device


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
) -> RenderedFaces:
    """Draw the faces whose codes are known, or take up those that a stopped run drew."""
    say(f"drawing {config.num_rendered} faces with known codes (kept in {output / 'rendered'})")
    return render_faces(
        output / "rendered",
        teachers.generator,
        teachers.mapper,
        count=config.num_rendered,
        seed=config.seed + 1,
        mixed_share=config.mixed_share,
    )


def _prepare_head(
    encoder: Encoder,
    teachers: Teachers,
    num_blocks: int,
    left: dict[str, Tensor],
    drawn: Callable[[], Drawn],
    say: Callable[[str], None],
) -> PictureHead:
    """The head as a run ``left`` it, or else fitted on what the generator has ``drawn``."""
    head = PictureHead(teachers.generator, num_blocks)
    shapes = {name: tensor.shape for name, tensor in head.state_dict().items()}
    if shapes == {name: tensor.shape for name, tensor in left.items()}:
        head.load_state_dict(left)
        return head.to(encoder.style_mean.device)
    head.readout.style_mean.copy_(encoder.style_mean)
    head.readout.style_scale.copy_(encoder.style_scale)
    head.to(encoder.style_mean.device)
    error = fit_readout(head.readout, teachers.generator, drawn())
    say(f"picture head fitted: mean squared error {error:.4f} on {NUM_HELD_OUT} other faces")
    return head


def _drawn(
    encoder: Encoder, rendered: RenderedFaces, faces: UInt8Array, teachers: Teachers
) -> Drawn:
    """Rendered faces, and what the generator draws of the codes that HieRFE reads now."""
    known = of_rendered(rendered, teachers.generator, NUM_FITTED + NUM_HELD_OUT)
    some = faces[:: max(1, len(faces) // NUM_FITTED)][:NUM_FITTED]
    return joined([known, of_encoder(encoder.eval(), some, teachers)])


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
    chosen_device = _device(device)
    torch.manual_seed(config.seed)
    paths, held_out = _prepare(folders, output, config)
    if start is None and config.warm_backbone:
        ensure(["parser"], offline=offline, announce=say)
    dims = dims or Dims()
    teachers = load_teachers(
        dims, identity_network=config.identity_network, offline=offline, say=say
    ).to(chosen_device)
    rendered = prepare_rendered(output, teachers, config, say)
    say(f"reading {len(paths)} faces")
    faces, validation = read_faces(paths, dims.crop_size), read_faces(held_out, dims.crop_size)

    encoder = _fresh_encoder(dims, teachers, rendered).to(chosen_device)
    left: dict[str, dict[str, Tensor]] = {"encoder": {}, "head": {}}
    if start is None and config.warm_backbone:
        warm = read_backbone_state(ensure(["parser"], offline=offline)["parser"])
        say(f"backbone starts from face parsing: {take_over(encoder.backbone, warm)}")
    elif start is not None:
        left = read_start(start)
        taken = take_over(encoder, grown(encoder, left["encoder"]))
        say(f"encoder starts from {start}: {taken}")
    if encoder.spans is not None and not hears_spans(left["encoder"]):
        prepare_spans(encoder, faces, teachers.mesh, output / "spans.pt", say)
    head = _prepare_head(
        encoder,
        teachers,
        config.head_blocks,
        left["head"],
        lambda: _drawn(encoder, rendered, faces, teachers),
        say,
    )
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
        drawn = of_rendered(rendered, teachers.generator, NUM_FITTED + NUM_HELD_OUT)
        encoder.corrector.draw.style_mean.copy_(mean)
        encoder.corrector.draw.style_scale.copy_(scale)
        encoder.to(drawn.pictures.device)
        fresh_corrector(encoder.corrector, teachers.generator, rendered, drawn)
    return encoder


def train_transfer(
    folders: list[Path],
    output: Path,
    encoder_checkpoint: Path,
    config: TransferConfig,
    *,
    transfer_checkpoint: Path | None = None,
    dims: Dims | None = None,
    device: str = "cpu",
    offline: bool = False,
    say: Callable[[str], None] = print,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Path:
    """Train FTM beside a HieRFE that learns on; returns ``output/transfer.safetensors``.

    encoder_checkpoint: a finished encoder, or ``last.pt`` of a run, with the picture head that
    followed it and, of a run of this training, FTM. transfer_checkpoint: a finished FTM to go on
    from. HieRFE lands beside FTM, as ``output/encoder.safetensors``.
    device: as in ``load_model``.
    """
    keep_freed_memory()
    chosen_device = _device(device)
    torch.manual_seed(config.seed)
    paths, held_out = _prepare(folders, output, config)
    encoder, left = finished_encoder(encoder_checkpoint, dims or Dims())
    if transfer_checkpoint is not None:
        left["transfer"] = dict(load_checkpoint(transfer_checkpoint, kind="transfer").tensors)
    encoder.to(chosen_device)
    dims = encoder.dims
    teachers = load_teachers(
        dims, identity_network=config.identity_network, offline=offline, say=say
    ).to(chosen_device)
    rendered = prepare_rendered(output, teachers, config, say)
    say(f"reading {len(paths)} faces")
    faces, validation = read_faces(paths, dims.crop_size), read_faces(held_out, dims.crop_size)
    if encoder.spans is not None and (config.read_anew or not hears_spans(left["encoder"])):
        prepare_spans(encoder, faces, teachers.mesh, output / "spans.pt", say)
    head = _prepare_head(
        encoder,
        teachers,
        NUM_BLOCKS,
        left["head"],
        lambda: _drawn(encoder, rendered, faces, teachers),
        say,
    )
    if encoder.lead is not None and (config.read_anew or not encoder.lead.weight.any()):
        prepare_lead(encoder, head, faces, teachers, output / "lead.pt", say)
    transfer = FaceTransfer(dims)
    transfer.style_mean.copy_(encoder.style_mean)
    transfer.style_scale.copy_(encoder.style_scale)
    if left["transfer"]:
        begun = transfer_checkpoint or encoder_checkpoint
        say(f"FTM starts from {begun}: {take_over(transfer, left['transfer'])}")
    transfer.to(chosen_device)
    change_start(encoder, transfer, config)
    if transfer.keeper is not None and left["transfer"] and not transfer.keeper.steps.any():
        prepare_keeper(transfer, encoder, head, faces, teachers, output / "keeper.pt", say)
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
    inputs = fingerprint(paths, encoder_checkpoint, transfer_checkpoint)
    train(task, average, config, output, report, inputs=inputs)
    _ship(average.encoder, output / "encoder.safetensors", dims, "encoder", config, len(paths))
    return _ship(
        average.transfer, output / "transfer.safetensors", dims, "transfer", config, len(paths)
    )


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
