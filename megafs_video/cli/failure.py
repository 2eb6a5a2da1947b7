"""The one place where an error becomes a line on stderr and an exit code."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from megafs_video.errors import InterruptedRunError, MegafsError


class FrontDoor(TyperGroup):
    """The group of all verbs: what a user can act on leaves it as one line, never a traceback.

    A ``MegafsError`` exits with its own code and Ctrl-C with 130; ``--debug`` adds the traceback.
    Anything else is a bug and keeps its traceback (exit code 1).
    """

    # ``Any``: Typer keeps the type of a context to itself, and its home moved between versions.
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MegafsError as error:
            leave(error, debug=ctx.params["debug"])
        except KeyboardInterrupt as error:
            interrupted = InterruptedRunError("stopped by Ctrl-C; no output was written")
            interrupted.__cause__ = error
            for note in getattr(error, "__notes__", ()):
                interrupted.add_note(note)
            leave(interrupted, debug=ctx.params["debug"])


def leave(error: MegafsError, *, debug: bool) -> None:
    """Say what went wrong in one line on stderr (after the traceback, if ``debug``) and exit."""
    if debug:
        traceback.print_exception(error)
    told = "; ".join([str(error), *getattr(error, "__notes__", ())])
    one_line = " ".join(told.splitlines())
    print(f"megafs-video: {one_line}", file=sys.stderr)
    raise typer.Exit(error.exit_code) from error
