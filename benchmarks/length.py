"""Does memory or disk grow with the length of a clip, and what does a 4K clip take?

Run: python -m benchmarks.length [--minutes 10] [--rate 25] [--only length|4k]

A clip of ten seconds and one of ten minutes at 1080p, which are the same frames over and over,
with sound, are swapped in a process each, so that its peak memory is its own. Stand-ins take the
place of the networks (``standins.py``); everything else is what a swap does: tracks, windows,
blending, checkpoints, pieces and joining them. Meanwhile the room that the work folder takes is
watched. Then four seconds of 4K, against a stated ceiling.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.standins import SOURCE, StandIn, make_clip, make_finders, repeated
from megafs_video import SwapOptions, swap_video
from megafs_video.pipeline.work import folder_of

MAX_GROWTH = 1.05
CEILING_4K_BYTES = 4_000_000_000
SECONDS = 10


def main() -> int:
    """Print the table; 1 if memory grows, or 4K takes more than is stated."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=int, default=25, help="frames a second")
    parser.add_argument("--only", choices=["length", "4k"])
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure is not None:
        print(json.dumps(measure(chosen.measure)))
        return 0
    table = Table("", "frames", "s", "frames/s", "peak memory, MB", "output, MB", "beside it, MB")
    rate, is_fine = chosen.rate, True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.only != "4k":
            short = make_clip(folder / "short.mp4", 1080, 1920, SECONDS * rate, rate)
            times = round(60 * chosen.minutes / SECONDS)
            found = [measure_apart(short)]
            add(table, "1080p, 10 s", found[0])
            found.append(measure_apart(repeated(short, folder / "long.mp4", SECONDS, times)))
            add(table, f"1080p, {chosen.minutes:g} min", found[1])
            growth = found[1]["peak_memory_bytes"] / found[0]["peak_memory_bytes"]
            table.add_row("  memory to the shorter's", "", "", "", f"{growth:.3f}")
            is_fine = growth <= MAX_GROWTH
        if chosen.only != "length":
            large = measure_apart(make_clip(folder / "4k.mp4", 2160, 3840, 4 * rate, rate))
            add(table, "2160p, 4 s", large)
            is_fine = is_fine and large["peak_memory_bytes"] <= CEILING_4K_BYTES
            table.add_row("  ceiling", "", "", "", f"{CEILING_4K_BYTES / 1e6:.0f}")
    Console().print(table)
    return 0 if is_fine else 1


def add(table: Table, name: str, found: dict[str, Any]) -> None:
    """A row of what was measured."""
    numbers = (found[key] / 1e6 for key in ("peak_memory_bytes", "output_bytes", "beside_bytes"))
    table.add_row(
        name,
        str(found["frames"]),
        f"{found['seconds']:.0f}",
        f"{found['frames_per_second']:.1f}",
        *(f"{number:.1f}" for number in numbers),
    )


def measure_apart(clip: Path) -> dict[str, Any]:
    """What ``measure`` finds, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.length", "--measure", str(clip)],
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(clip: Path) -> dict[str, Any]:
    """The report of a swap, and the most room that lay beside its output."""
    output = clip.with_name(f"swapped_{clip.name}")
    options = SwapOptions(resume=True, preset="ultrafast")
    with watched(folder_of(output)) as most:
        report = swap_video(
            SOURCE, clip, output, model=StandIn(), finders=make_finders(), options=options
        )
    found: dict[str, Any] = json.loads(report.to_json())
    return found | {"output_bytes": output.stat().st_size, "beside_bytes": most[0]}


@contextmanager
def watched(folder: Path) -> Iterator[list[int]]:
    """The most bytes that a folder holds, looked at ten times a second."""
    most, stop = [0], Event()

    def watch() -> None:
        while not stop.wait(0.1):
            most[0] = max(most[0], size_of(folder))

    thread = Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        stop.set()
        thread.join()


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder; those that go meanwhile do not count."""
    total = 0
    for path in folder.glob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total


if __name__ == "__main__":
    sys.exit(main())
