"""Where a training starts: an encoder's file, or the checkpoint of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from megafs_video.errors import ConfigError
from megafs_video.networks.dims import Dims
from megafs_video.networks.encoder import Encoder
from megafs_video.networks.transfer import FaceTransfer
from megafs_video.parts import load_encoder
from megafs_video.training.config import TransferConfig
from megafs_video.training.loop import UNREADABLE
from megafs_video.weights.cache import sha256_of
from megafs_video.weights.checkpoint import load_checkpoint

OPEN = 20.0  # of which a sigmoid makes 1, in half precision too


def read_start(path: Path) -> dict[str, dict[str, Tensor]]:
    """Tensors by name: an "encoder"'s, and of the "head" and "transfer" beside it, if any.

    path: an encoder, or ``last.pt`` of a run. ConfigError if a ``last.pt`` is damaged or of
    another training; WeightsError for other files.
    """
    if path.suffix != ".pt":
        encoder = dict(load_checkpoint(path, kind="encoder").tensors)
        return {"encoder": encoder, "head": {}, "transfer": {}}
    try:
        average = torch.load(path, map_location="cpu", weights_only=True)["average"]
        found = {name: _part(average, f"{name}.") for name in ("encoder", "head", "transfer")}
    except UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"{path} is no checkpoint of a run ({reason})") from error
    if not found["encoder"]:
        raise ConfigError(f"{path} holds no encoder; give last.pt of megafs-video train encoder")
    return found


def finished_encoder(path: Path, dims: Dims) -> tuple[Encoder, dict[str, dict[str, Tensor]]]:
    """An encoder, and the tensors of what stood beside it, if ``path`` is a run's.

    dims: of an encoder that a run's ``last.pt`` holds, which does not say.
    """
    found = read_start(path)
    if path.suffix != ".pt":
        return load_encoder(path), found
    encoder = Encoder(dims)
    try:
        encoder.load_state_dict(grown(encoder, found["encoder"]))
    except UNREADABLE as error:
        raise ConfigError(
            f"{path} holds an encoder of other dims; give its encoder.safetensors"
        ) from error
    return encoder, found


def grown(encoder: Encoder, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of an encoder that read no spans, as of one that does and makes nothing of them.

    What is new has learnt nothing yet: ``training.spans`` and ``training.lead`` teach it.
    """
    if encoder.spans is None:
        return state
    grown_state = dict(state)
    for name, own in encoder.state_dict().items():
        if name.startswith(("spans.", "lead.")):
            grown_state.setdefault(name, own)
        elif name in state and "points.weight" in name:
            grown_state[name] = functional.pad(state[name], (0, own.shape[1] - len(state[name][0])))
        elif name in ("standardise.running_mean", "standardise.running_var") and name in state:
            grown_state[name] = torch.cat((state[name], own[len(state[name]) :]))
    return grown_state


@torch.no_grad()
def change_start(encoder: Encoder, transfer: FaceTransfer, config: TransferConfig) -> None:
    """Change what a run starts from as its settings say, before anything is learnt."""
    if config.code_length != 1:
        shorten(encoder, transfer, config.code_length)
    if config.kept_codes:
        keep_late_codes(transfer, config.kept_codes)
    if config.code_reach:
        assert transfer.reach is not None
        transfer.reach.fill_(config.code_reach)


@torch.no_grad()
def shorten(encoder: Encoder, transfer: FaceTransfer, length: float) -> None:
    """Make the codes that are read from the middle map ``length`` times as long; FTM hears no less.

    What teaches a likeness draws codes out, and exaggerates them in a reconstruction.
    """
    assert transfer.gain is not None
    first, count = encoder.mappings[0].num_codes, encoder.mappings[1].num_codes
    size, num_low = encoder.dims.style_size, encoder.dims.num_low
    for weight in encoder.mappings[1].project.parameters():
        weight.mul_(length)
    if encoder.lead is not None:
        for weight in encoder.lead.parameters():
            weight[first * size : (first + count) * size].mul_(length)
    # Low codes are the target's: FTM hears none of them.
    transfer.gain[max(0, first - num_low) : max(0, first + count - num_low)].div_(length)


@torch.no_grad()
def keep_late_codes(transfer: FaceTransfer, count: int) -> None:
    """Have FTM pass on the target's last ``count`` codes: its light, and the colour of its skin.

    A face of the source's colours is relit for its new place, and so are its eyes and teeth, which
    had no colour of skin.
    """
    for cell in transfer.cells:
        for gate in (cell.target_gate, cell.source_gate):
            gate.out.weight[-count:] = 0
            gate.out.bias[-count:] = OPEN
        for shift in (cell.target_shift, cell.source_shift):
            shift.out.weight[-count:] = 0
            shift.out.bias[-count:] = 0
    transfer.balance[-count:] = OPEN
    if transfer.gain is not None:
        transfer.gain[-count:] = 1


def taught(module: nn.Module, path: Path, teach: Callable[[], None]) -> None:
    """Have a part taught that learns before the training, or take up what a stopped run kept.

    ConfigError if ``path``, where it is kept, is damaged.
    """
    if path.exists():
        try:
            module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except UNREADABLE as error:
            raise ConfigError(f"{path} is damaged; delete it to have it taught again") from error
        return
    teach()
    unfinished = path.with_suffix(".unfinished")
    torch.save(module.state_dict(), unfinished)
    unfinished.replace(path)


def fingerprint(faces: list[Path], *starts: Path | None) -> str:
    """What a run is trained on, in a few letters: its faces and the weights at its start."""
    names = "\n".join(f"{path.parent.name}/{path.name}" for path in faces)
    begun = " ".join(sha256_of(start)[:16] for start in starts if start is not None) or "fresh"
    return f"{len(faces)} faces {hashlib.sha256(names.encode()).hexdigest()[:16]}, {begun}"


def hears_spans(state: dict[str, Tensor]) -> bool:
    """Whether an encoder's state has a reader of spans that has learnt."""
    return any(name.startswith("spans.") for name in state)


def _part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }


def take_over(module: nn.Module, state: dict[str, Tensor]) -> str:
    """Load the tensors of ``state`` that fit the module, and say how many do."""
    own = module.state_dict()
    fitting = {name: t for name, t in state.items() if name in own and own[name].shape == t.shape}
    module.load_state_dict(fitting, strict=False)
    return f"{len(fitting)} of {len(own)} tensors"
