"""What makes large tensors cheap on Linux, and what keeps memory from costing more and more."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # names of glibc's mallopt(3)


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


def give_back_freed_memory() -> bool:
    """Hand what is free inside the heap to the kernel, now; True if anything was.

    What is kept to be used again is broken up by smaller things that live longer, so the heap
    would grow for a minute or two to much more than is in use. A heap of a gigabyte takes some
    hundredths of a second, and what is needed again has to be faulted in again: for now and then.
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
