"""What makes large tensors cheap on Linux, and what keeps memory from costing more and more."""

from __future__ import annotations

import ctypes
import gc
import mmap
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # names of glibc's mallopt(3)
# A pipeline is full after so many frames, and nothing is gained by trimming more often than that.
_FIRST_FRAMES, _REST_FRAMES = 30, 10
# What a process may grow by. Queues that fill and drain make a tenth of it along a 1080p clip.
_GROWTH = 1.15


def keep_freed_memory() -> bool:
    """Let glibc reuse large buffers instead of handing each back to the kernel; True if it does.

    A layer at 512 px makes tensors of 64 MiB. By default every one is mapped and faulted in
    page by page, and unmapped after use: the generator then takes about three times as long
    (benchmarks/networks.py prints the ratio). Peak memory stays the same.

    Call it before other threads start: each would get an arena of its own, and those hold no
    buffer of 64 MiB, so a network that runs in a thread would be as slow as before.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has none
        return False
    settings = {M_MMAP_THRESHOLD: 2**30, M_TRIM_THRESHOLD: 2**31 - 1, M_ARENA_MAX: 1}
    return all(mallopt(name, value) for name, value in settings.items())


class HeapTrimmer:
    """Keeps a process that goes through frames from growing, without asking the kernel often.

    What is kept to be used again is broken up by smaller things that live longer, so the heap
    would grow for a minute or two to much more than is in use. To hand it back every few frames
    costs as much as blending a face: what is needed again is faulted in page by page. So it is
    handed back once when the pipeline is full, and then only when the process has grown by a
    part of the most that was left at such a time.
    """

    def __init__(self) -> None:
        self._wait = _FIRST_FRAMES  # calls until the next look
        self._limit_bytes = 0.0

    def __call__(self) -> bool:
        """After each frame; True if freed memory was handed back."""
        self._wait -= 1
        if self._wait > 0 or (resident := resident_bytes()) is None:
            return False
        if resident <= self._limit_bytes:
            return False
        self._wait = _REST_FRAMES
        was_given = give_back_freed_memory()
        self._limit_bytes = max(self._limit_bytes, _GROWTH * (resident_bytes() or 0))
        return was_given


def resident_bytes() -> int | None:
    """The memory that the process holds now; None where Linux's ``/proc`` is not."""
    try:
        pages = Path("/proc/self/statm").read_bytes().split()[1]
    except OSError:
        return None
    return int(pages) * mmap.PAGESIZE


def give_back_freed_memory() -> bool:
    """Hand what is free inside the heap to the kernel, now; True if anything was.

    A heap of a gigabyte takes some hundredths of a second: for now and then.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (OSError, AttributeError):  # musl has none
        return False


@contextmanager
def old_objects_left_alone() -> Iterator[None]:
    """While it lasts, Python's collector does not look at the objects that there are.

    torch alone brings a quarter of a million that never go away, and a look at all of them takes
    a tenth of a second: as long as several frames.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
