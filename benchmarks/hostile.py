"""Does any damaged or malicious file crash, hang or swell our readers?

Run: python -m benchmarks.hostile [--files 900] [--first 0] [--seconds 20] [--gigabytes 2]
     python -m benchmarks.hostile --minutes 60 --keep found/   (every night: other files each time)

Every file of ``tests/hostile.py`` is read and written again in a process of its own, under a
limit of time and of memory, by everything that opens what a user names: ``probe``,
``read_frames``, ``frames_at``, ``sound_packets``, ``read_picture``, ``footage_at``, ``StillWriter``
and ``VideoWriter``. It may end well or in a ``MegafsError``; anything else is shown with its
number and makes the exit code 1. The row of files has no end: with ``--first`` it goes on where
another run stopped, and with ``--minutes`` it begins anywhere in it and goes on for so long: a fuzz
target over our readers.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from megafs_video.errors import MegafsError
from megafs_video.video.packets import sound_packets
from megafs_video.video.picture import read_picture
from megafs_video.video.probe import probe
from megafs_video.video.read import read_frames
from megafs_video.video.sample import frames_at
from megafs_video.video.sequence import footage_at
from megafs_video.video.still import StillWriter
from megafs_video.video.write import VideoWriter
from tests.hostile import make_hostile, make_seeds, num_made_by_rule

# A harmed count may promise frames without end: each reader stops here.
MAX_FRAMES = 200
WELL, REFUSED, WRONG = 0, 3, 1  # exit codes of the process that reads


def main() -> int:
    """Print what became of the files; 1 if one of them was not survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=900)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--minutes", type=float, help="go on for so long, from anywhere")
    parser.add_argument("--keep", type=Path, help="a folder for files that were not survived")
    parser.add_argument("--seconds", type=float, default=20.0, help="limit for one file")
    parser.add_argument("--gigabytes", type=float, default=2.0, help="limit for one file")
    chosen = parser.parse_args()
    first, last = chosen.first, chosen.first + chosen.files
    if chosen.minutes is not None:
        first, last = random.SystemRandom().randrange(10**6, 10**9), sys.maxsize
    stop_at = time.monotonic() + 60 * (chosen.minutes or float("inf"))
    counts: Counter[str] = Counter()
    slowest, largest, failures = (0.0, ""), 0, []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = make_seeds(folder / "seeds")
        print(f"{num_made_by_rule(seeds)} files made by rule come first, then those of chance")
        for number in range(first, last):
            if time.monotonic() > stop_at:
                break
            path = make_hostile(number, seeds, folder)
            ending = survive(path, chosen.seconds, chosen.gigabytes)
            counts[ending.what] += 1
            slowest = max(slowest, (ending.seconds, path.name))
            largest = max(largest, ending.peak_bytes)
            if ending.what not in ("read", "refused"):
                failures.append(f"{number} {path.name}: {ending.what}")
                print(failures[-1], flush=True)
                if chosen.keep is not None:
                    shutil.copy(path, chosen.keep)
            path.unlink()
    table = Table("files", str(counts.total()))
    for what, count in sorted(counts.items()):
        table.add_row(what, str(count))
    table.add_row("longest computing, s", f"{slowest[0]:.1f} ({slowest[1]})")
    table.add_row("largest process, MB", f"{largest / 1e6:.0f}")
    Console().print(table)
    return 1 if failures else 0


@dataclass(frozen=True)
class Ending:
    """What became of one file: read, refused, or how it went wrong."""

    what: str
    seconds: float  # of computing; of waiting, if it hung
    peak_bytes: int


def survive(path: Path, limit_seconds: float, limit_gigabytes: float) -> Ending:
    """Read a file in a process of its own."""
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        os._exit(_read_under_limits(path, limit_gigabytes))
    while True:
        found, status, usage = os.wait4(child, os.WNOHANG)
        seconds = time.perf_counter() - started
        if found:
            break
        if seconds > limit_seconds:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return Ending("hung", seconds, 0)
        time.sleep(0.005)
    if os.WIFSIGNALED(status):
        what = f"crashed ({signal.Signals(os.WTERMSIG(status)).name})"
    else:
        what = {WELL: "read", REFUSED: "refused"}.get(os.WEXITSTATUS(status), "failed")
    return Ending(what, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def _read_under_limits(path: Path, limit_gigabytes: float) -> int:
    size = int(limit_gigabytes * 1e9)
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    try:
        # A video is no picture: one reader that takes the file is enough, but all have to try.
        return min([_outcome(read, path) for read in READERS])
    except BaseException:
        # Whatever it is, it goes no further than this process and is shown once.
        traceback.print_exc()
        sys.stderr.flush()
        return WRONG


def _outcome(read: Callable[[Path], None], path: Path) -> int:
    try:
        read(path)
    except MegafsError:
        return REFUSED
    return WELL


def _read_all(path: Path) -> None:
    for _ in islice(read_frames(path), MAX_FRAMES):
        pass


def _sample(path: Path) -> None:
    for _ in frames_at(path, [0.08, 0.0]):
        pass


def _listen(path: Path) -> None:
    for _ in islice(sound_packets(path), 10 * MAX_FRAMES):
        pass


def _repaint(path: Path) -> None:
    """As the target of a picture: what a photograph carries is read, too."""
    output = path.with_name("repainted.png")
    with suppress(FileNotFoundError):
        output.unlink()
    with StillWriter(output, like=path) as writer:
        for frame in islice(read_frames(path), 2):
            writer.write(frame)


def _line_up(path: Path) -> None:
    """As two pictures of a sequence."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        for number in range(2):
            os.link(path, Path(folder) / f"{number}{path.suffix}")
        for _ in read_frames(footage_at(Path(folder))):
            pass


def _rewrite(path: Path) -> None:
    output = path.with_name("rewritten.mkv")
    with suppress(FileNotFoundError):
        output.unlink()
    with VideoWriter(output, like=path, codec="h264", preset="ultrafast") as writer:
        for frame in islice(read_frames(path), MAX_FRAMES):
            writer.write(frame)


READERS: tuple[Callable[[Path], object], ...] = (
    probe,
    _read_all,
    _sample,
    _listen,
    read_picture,
    _rewrite,
    _repaint,
    _line_up,
)


if __name__ == "__main__":
    sys.exit(main())
