"""One process-wide setting that makes large tensors cheap on Linux."""

from __future__ import annotations

import ctypes
import sys

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
