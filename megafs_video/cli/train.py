"""``megafs-video train``: make the networks from folders of aligned faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from megafs_video.training.loop import Progress

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
    offline: Offline = False,
) -> None:
    """Train HieRFE: from a face to its constant C and style codes L (paper, Eq. 4-8)."""
    from megafs_video.training.config import EncoderConfig, read_config
    from megafs_video.training.run import train_encoder

    settings = read_config(config, EncoderConfig)
    with shown() as (say, report):
        path = train_encoder(
            faces, output, settings, start=start, offline=offline, say=say, report=report
        )
        say(f"wrote {path}")


@app.command()
def transfer(
    faces: Faces,
    output: Output,
    encoder: Annotated[Path, typer.Option("--encoder", help="Checkpoint of a trained HieRFE.")],
    config: Config = None,
    offline: Offline = False,
) -> None:
    """Train FTM: moves an identity between style codes (paper, Eq. 9-14)."""
    from megafs_video.training.config import TransferConfig, read_config
    from megafs_video.training.run import train_transfer

    settings = read_config(config, TransferConfig)
    with shown() as (say, report):
        path = train_transfer(
            faces, output, encoder, settings, offline=offline, say=say, report=report
        )
        say(f"wrote {path}")


@contextmanager
def shown() -> Iterator[tuple[Callable[[str], None], Callable[[Progress], None]]]:
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
                f"{progress.seconds_per_step:.2f} s a step, {progress.minutes_left:.0f} min left"
            )
            bar.update(task, completed=progress.step, total=progress.num_steps)

        yield console.print, report
