"""The one training loop: Adam, warm-up and half cosine, EMA, log, sheets, resumable checkpoints."""

from __future__ import annotations

import csv
import math
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from megafs_video.errors import ConfigError, OutputError
from megafs_video.training.config import LoopConfig
from megafs_video.values import UInt8Array
from megafs_video.video.landing import output_error
from megafs_video.video.picture import write_picture

# What torch.load and load_state_dict raise on a file that is cut off, hostile, or of other shapes.
UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    EOFError,
    OSError,
)


class Group(NamedTuple):
    """Weights that learn at the same rate."""

    weights: list[nn.Parameter]
    rate: float = 1.0  # a share of the settings' learning rate


class Task(Protocol):
    """What is trained: a module, a loss for each step, and pictures to look at."""

    @property
    def module(self) -> nn.Module:
        """What learns."""

    def groups(self) -> list[Group]:
        """Its weights, and how fast each of them learns."""

    def step(self, step: int, random: torch.Generator) -> dict[str, Tensor]:
        """Weighted losses by name; their sum is minimised."""

    def sheet(self, module: nn.Module) -> UInt8Array:
        """Rows of pictures of validation faces, [H, W, 3]."""


@dataclass(frozen=True)
class Progress:
    """Where a training run stands."""

    step: int
    num_steps: int
    losses: dict[str, float]  # means since the last report
    seconds_per_step: float
    minutes_left: float


def learning_rate(config: LoopConfig, step: int, minutes: float = 0.0) -> float:
    """Warm-up, then half a cosine down to a hundredth of the peak, by steps or by time.

    >>> learning_rate(LoopConfig(num_steps=1000, learning_rate=1.0, warmup_steps=100), 50)
    0.5
    """
    if step < config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, config.num_steps - config.warmup_steps)
    if config.num_minutes:
        done = max(done, minutes / config.num_minutes)
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, decay: float) -> None:
    """Move the running average of the weights towards the weights; copy the buffers."""
    for kept, weight in zip(average.parameters(), module.parameters(), strict=True):
        kept.lerp_(weight, 1 - decay)
    for copied, buffer in zip(average.buffers(), module.buffers(), strict=True):
        copied.copy_(buffer)


def train(
    task: Task,
    average: nn.Module,
    config: LoopConfig,
    folder: Path,
    report: Callable[[Progress], None],
    *,
    inputs: str = "",
) -> None:
    """Train ``task.module`` and its running ``average``; resumes the run in ``folder`` if any.

    ``folder`` receives log.csv, sheets and last.pt. A resumed run ends with the weights of one
    that was never stopped; with more ``num_steps`` or ``num_minutes`` it becomes longer.
    ``inputs`` says what it is trained on. ConfigError if the folder holds a run with other
    settings or inputs, or a damaged checkpoint; OutputError if it cannot be made or is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}") from error
    random = torch.Generator().manual_seed(config.seed)
    groups = task.groups()
    trained = [weight for group in groups for weight in group.weights]
    parts = [{"params": group.weights} for group in groups]
    optimizer = torch.optim.Adam(parts, lr=config.learning_rate, betas=(0.9, 0.99), fused=True)
    # A run that was too short goes on with more steps or minutes.
    settings = f"{replace(config, num_steps=1, num_minutes=0.0)!r} {inputs}"
    first, minutes_before = _resume(folder, settings, task.module, average, optimizer, random)
    _cut_log(folder / "log.csv", first)
    seen: dict[str, list[Tensor]] = {}
    started = began = time.perf_counter()
    began_at = first
    for step in range(first, config.num_steps):
        minutes = minutes_before + (time.perf_counter() - started) / 60
        is_last = step + 1 == config.num_steps or 0 < config.num_minutes <= minutes
        for part, group in zip(optimizer.param_groups, groups, strict=True):
            part["lr"] = group.rate * learning_rate(config, step, minutes)
        losses = task.step(step, random)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        nn.utils.clip_grad_norm_(trained, config.clip_norm)
        optimizer.step()
        update_average(average, task.module, min(config.ema_decay, (1 + step) / (10 + step)))
        for name, loss in losses.items():
            seen.setdefault(name, []).append(loss.detach())
        done = step + 1
        if done % config.log_every == 0:
            now = time.perf_counter()
            # A loss that only some batches have is averaged over those.
            means = {name: float(torch.stack(values).mean()) for name, values in seen.items()}
            seconds = (now - began) / (done - began_at)  # of a resumed run, fewer at first
            _log(folder / "log.csv", done, seconds, means)
            left = (config.num_steps - done) * seconds / 60
            if config.num_minutes:
                left = min(left, max(0.0, config.num_minutes - minutes))
            report(Progress(done, config.num_steps, means, seconds, left))
            seen, began, began_at = {}, now, done
        if done % config.save_every == 0 or is_last:
            _save(folder, done, minutes, settings, task.module, average, optimizer, random)
        if done % config.sheet_every == 0 or is_last:
            write_picture(folder / f"sheet-{done:06d}.jpg", task.sheet(average), overwrite=True)
        if is_last:
            break


def _cut_log(path: Path, step: int) -> None:
    """Drop what a stopped run logged after its last checkpoint: those steps come again."""
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = list(csv.reader(file))
    kept = [row for row in rows[1:] if row and row[0].isdecimal() and int(row[0]) <= step]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows[:1] + kept)


def _log(path: Path, step: int, seconds: float, losses: dict[str, float]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(["step", "seconds_per_step", "loss", "value"])
        for name, value in losses.items():
            writer.writerow([step, f"{seconds:.4f}", name, f"{value:.6g}"])


def _save(
    folder: Path,
    step: int,
    minutes: float,
    settings: str,
    module: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    random: torch.Generator,
) -> None:
    unfinished = folder / "last.part"
    state = {
        "step": step,
        "minutes": minutes,
        "settings": settings,
        "module": module.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": random.get_state(),
    }
    try:
        with unfinished.open("wb") as file:
            torch.save(state, file)
        unfinished.replace(folder / "last.pt")
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise output_error(folder / "last.pt", error) from error


def _resume(
    folder: Path,
    settings: str,
    module: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    random: torch.Generator,
) -> tuple[int, float]:
    """Put everything back as ``_save`` stored it; steps and minutes done, 0 for a new run."""
    path = folder / "last.pt"
    if not path.exists():
        return 0, 0.0
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        if str(stored["settings"]) == settings:
            module.load_state_dict(stored["module"])
            average.load_state_dict(stored["average"])
            optimizer.load_state_dict(stored["optimizer"])
            random.set_state(stored["random"])
            return int(stored["step"]), float(stored["minutes"])
    except UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(
            f"{path} is damaged ({reason}); delete it to start again, or give another --output"
        ) from error
    raise ConfigError(
        f"{folder} holds a run with other settings, faces or start; give another --output, or "
        "the same as then"
    )
