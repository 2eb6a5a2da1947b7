"""``megafs-video train``: make the networks from folders of aligned faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from megafs_video.training.config import LoopConfig
    from megafs_video.training.loop import Progress

S = TypeVar("S", bound="LoopConfig")

app = typer.Typer(no_args_is_help=True, help="Train the networks (resumable).")

Faces = Annotated[
    list[Path],
    typer.Option(
        "--faces",
        help="Folder of FFHQ-aligned 256 px faces; repeat for several. Every sixth number is "
        "kept for validation.",
    ),
]
Output = Annotated[
    Path, typer.Option("--output", help="Folder of the run: log, sheets, checkpoints.")
]
Config = Annotated[
    Path | None, typer.Option("--config", help="TOML file of settings (default: those we used).")
]
Minutes = Annotated[
    float | None,
    typer.Option(
        "--minutes", min=0, help="End the run by the clock, instead of what --config says."
    ),
]
Device = Annotated[
    str, typer.Option("--device", help="auto (CUDA, then MPS, then the CPU), cpu, cuda or mps.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Fetch no model file.")]


@app.command()
def encoder(
    faces: Faces,
    output: Output,
    start: Annotated[
        Path | None,
        typer.Option("--start", help="Checkpoint of a HieRFE to go on from (default: fresh)."),
    ] = None,
    config: Config = None,
    minutes: Minutes = None,
    device: Device = "auto",
    offline: Offline = False,
) -> None:
    """Train HieRFE: from a face to its constant C and style codes L (paper, Eq. 4-8)."""
    from megafs_video.training.config import EncoderConfig, read_config
    from megafs_video.training.run import train_encoder

    settings = timed(read_config(config, EncoderConfig), minutes)
    with shown(settings.late_code_batch + settings.picture_batch) as (say, report):
        path = train_encoder(
            faces,
            output,
            settings,
            start=start,
            device=device,
            offline=offline,
            say=say,
            report=report,
        )
        say(f"wrote {path}")


@app.command()
def transfer(
    faces: Faces,
    output: Output,
    encoder: Annotated[Path, typer.Option("--encoder", help="Checkpoint of a trained HieRFE.")],
    transfer: Annotated[
        Path | None,
        typer.Option("--transfer", help="A finished FTM to go on from (default: fresh)."),
    ] = None,
    config: Config = None,
    minutes: Minutes = None,
    device: Device = "auto",
    offline: Offline = False,
) -> None:
    """Train FTM: moves an identity between style codes (paper, Eq. 9-14)."""
    from megafs_video.training.config import TransferConfig, read_config
    from megafs_video.training.run import train_transfer

    settings = timed(read_config(config, TransferConfig), minutes)
    with shown(settings.code_batch + settings.batch) as (say, report):
        path = train_transfer(
            faces,
            output,
            encoder,
            settings,
            transfer_checkpoint=transfer,
            device=device,
            offline=offline,
            say=say,
            report=report,
        )
        say(f"wrote {path}")


def timed(settings: S, minutes: float | None) -> S:
    """The settings with another end, if one is given; as many steps as fit."""
    if minutes is None:
        return settings
    return replace(settings, num_minutes=minutes, num_steps=1_000_000)


@contextmanager
def shown(
    faces_a_step: int,
) -> Iterator[tuple[Callable[[str], None], Callable[[Progress], None]]]:
    """What tells a person how the run goes: one line at a time on stderr, above a bar."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    # Paths hold brackets, and a log line is searched for: neither markup nor wrapping.
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=None)

        def report(progress: Progress) -> None:
            losses = "  ".join(
                f"{name} {loss:.4f}" for name, loss in sorted(progress.losses.items())
            )
            console.print(
                f"step {progress.step}/{progress.num_steps}  {losses}  "
                f"{faces_a_step / progress.seconds_per_step:.1f} faces a second, "
                f"{progress.minutes_left:.0f} min left"
            )
            bar.update(task, completed=progress.step, total=progress.num_steps)

        yield console.print, report
