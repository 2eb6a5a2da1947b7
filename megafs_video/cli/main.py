"""The command ``megafs-video``: its verbs, and what is said before any of them."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from megafs_video import __version__
from megafs_video.allocator import keep_freed_memory
from megafs_video.cli import evaluate, models, train
from megafs_video.cli.doctor import doctor
from megafs_video.cli.failure import FrontDoor
from megafs_video.cli.preview import preview
from megafs_video.cli.swap import swap
from megafs_video.waiting import spin_briefly

app = typer.Typer(
    cls=FrontDoor,
    name="megafs-video",
    help="Give the person in a video another person's face, and keep everything else.",
    epilog="Only with the consent of everyone concerned. Examples and exit codes: README.md",
    no_args_is_help=True,
    add_completion=False,
    # Help in boxes takes twice as long: 0.40 s for `swap --help`, 0.25 s as plain text.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("swap")(swap)
app.command("preview")(preview)
app.add_typer(models.app, name="models")
app.command("doctor")(doctor)
app.add_typer(train.app, name="train")
app.add_typer(evaluate.app, name="evaluate")


def print_version(is_wanted: bool) -> None:
    """Print the version and exit, if it is wanted."""
    if is_wanted:
        print(f"megafs-video {__version__}")
        raise typer.Exit


@app.callback()
def before_any_verb(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", envvar="MEGAFS_DEBUG", help="Show the traceback of an error as well."
        ),
    ] = False,
) -> None:
    """Give the person in a video another person's face, and keep everything else."""


def main() -> None:
    """Run the verb that the command line names and exit with its code."""
    spin_briefly()  # before torch is imported
    # Before anything has a thread: a decoder that ran first would leave its arena to a network.
    keep_freed_memory()
    # A polite kill cleans up as Ctrl-C does: threads end and the unfinished output goes.
    signal.signal(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is to be ignored
        signal.signal(signal.SIGINT, stop)
    app()


def stop(*_: object) -> None:
    """Stop cleanly; a second Ctrl-C on the way ends the process at once, whatever it waits for."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise KeyboardInterrupt
