"""``-`` as the output: the video goes to standard output, and every word to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from megafs_video.errors import OutputError

PIPE = Path("-")


@contextmanager
def opened_output(output: Path, *, resume: bool | None) -> Iterator[Path | BinaryIO]:
    """The output itself, or for ``-`` a stream to what was standard output when the block began.

    Within the block whatever else writes there, libraries included, is heard on stderr.
    OutputError: standard output is a terminal, or the run is to be taken up later.
    """
    if output != PIPE:
        yield output
        return
    if resume:
        raise OutputError("a pipe cannot be taken up where it was cut; leave --resume out")
    if os.isatty(1):
        raise OutputError(
            "a video is not for a terminal; pipe it into a program, such as | mpv -, or name a file"
        )
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        yield stream
    finally:
        sys.stdout.flush()
        os.dup2(stream.fileno(), 1)
        with suppress(BrokenPipeError):  # told already, if bytes were left over
            stream.close()
