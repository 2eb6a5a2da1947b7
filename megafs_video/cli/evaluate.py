"""``megafs-video evaluate``: measure what a model does, the same way every time."""

from __future__ import annotations

import typer

from megafs_video.cli.evaluate_pairs import pairs
from megafs_video.cli.evaluate_video import video

app = typer.Typer(no_args_is_help=True)
app.command("pairs")(pairs)
app.command("video")(video)


@app.callback()
def before_any_measure() -> None:
    """Measure what a model does."""
