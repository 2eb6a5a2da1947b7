"""One process-wide setting that makes large tensors cheap on Linux."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # names of glibc's mallopt(3)


def keep_freed_memory() -> bool:
    """Let glibc reuse large buffers instead of handing each back to the kernel; True if it does.

    A layer at 512 px makes tensors of 64 MiB. By default every one is mapped and faulted in
    page by page, and unmapped after use: the generator then takes about three times as long
    (benchmarks/networks.py prints the ratio). Peak memory stays the same.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has none
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, 2**30) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))
