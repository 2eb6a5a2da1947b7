"""How a run tells that it is alive: a bar for people, lines of JSON for programs, or nothing."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TextIO

# Called with the frames done so far and, where the clip tells, how many there will be.
ReportFrames = Callable[[int, int | None], None]

# A program that watches wants a steady pulse, not a line per frame.
JSON_INTERVAL_SECONDS = 0.5


class ProgressKind(StrEnum):
    """Choices of ``--progress``."""

    RICH = "rich"
    JSON = "json"
    NONE = "none"


@contextmanager
def show_progress(kind: ProgressKind, *, title: str) -> Iterator[ReportFrames]:
    """Show the frames that are reported to it on stderr until the block ends."""
    if kind is ProgressKind.RICH:
        with rich_progress(title) as report:
            yield report
    elif kind is ProgressKind.JSON:
        report = JsonProgress(sys.stderr)
        yield report
        report.finish()
    else:
        yield lambda frames, total: None


class JsonProgress:
    """One JSON object a line: frames, total, fps and eta_seconds (null while unknown).

    The first frame gives a line at once and the end one with the frames there were; in between
    one comes every half second. Speed counts from the first line on: what an earlier run had
    finished took this one no time.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._first: tuple[float, int] | None = None  # when, and frames
        self._written: float | None = None
        self._last: tuple[int, int | None] = (0, None)

    def __call__(self, frames: int, total: int | None) -> None:
        now = self._clock()
        self._last = (frames, total)
        self._first = self._first or (now, frames)
        if self._written is None or now - self._written >= JSON_INTERVAL_SECONDS:
            self._write(now)

    def finish(self) -> None:
        """Say how many frames there were in the end: the total was the clip's own claim."""
        frames, _ = self._last
        self._last = (frames, frames)
        self._write(self._clock())

    def _write(self, now: float) -> None:
        frames, total = self._last
        self._written = now
        started, first_frames = self._first or (now, frames)
        fps = (frames - first_frames) / (now - started) if now > started else None
        eta_seconds = max(0, total - frames) / fps if fps and total is not None else None
        line = {
            "frames": frames,
            "total": total,
            "fps": fps and round(fps, 3),
            "eta_seconds": eta_seconds if eta_seconds is None else round(eta_seconds, 1),
        }
        print(json.dumps(line), file=self._stream, flush=True)


@contextmanager
def rich_progress(title: str) -> Iterator[ReportFrames]:
    """A bar on stderr with frames, frames per second and the time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class FramesPerSecond(ProgressColumn):
        """Speed over the last half minute."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.2f} fps")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        FramesPerSecond(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda frames, total: bar.update(task, completed=frames, total=total)
