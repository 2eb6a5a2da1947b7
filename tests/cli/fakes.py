"""The command line with fakes in the place of every network; also a command of its own.

``python -m tests.cli.fakes swap …`` is ``megafs-video`` without model files, for tests that need
a process to send signals to.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from megafs_video.cli import preview as preview_verb
from megafs_video.cli import swap as swap_verb
from megafs_video.pipeline import preview, swap
from tests.pipeline.fakes import FakeModel, make_finders


def with_fakes(job: Callable[..., Any]) -> Callable[..., Any]:
    """The job with a fake model and fake finders, whatever was asked for."""

    @wraps(job)
    def faked(*files: Any, **settings: Any) -> Any:
        return job(*files, **settings | {"model": FakeModel(), "finders": make_finders()})

    return faked


def install(replace: Callable[[object, str, object], None]) -> None:
    """Put the fakes in place with a function such as ``setattr``."""
    replace(swap, "swap_video", with_fakes(swap.swap_video))
    replace(preview, "preview_frames", with_fakes(preview.preview_frames))
    for verb in (swap_verb, preview_verb):
        replace(verb, "fetch_missing", lambda *names, **settings: None)


if __name__ == "__main__":
    from megafs_video.cli.main import main

    install(setattr)
    main()
