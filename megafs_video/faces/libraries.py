"""The heavy libraries of this room, imported late, quietly, and with errors a user can act on."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CDLL
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from megafs_video.errors import SystemLibraryError, WeightsError


@dataclass(frozen=True)
class SystemLibrary:
    """A shared library that a Python package loads from the system and does not bring along."""

    soname: str
    needed_by: str
    debian_package: str


SYSTEM_LIBRARIES = (
    SystemLibrary("libGL.so.1", "OpenCV", "libgl1"),
    SystemLibrary("libglib-2.0.so.0", "OpenCV", "libglib2.0-0"),
    SystemLibrary("libgthread-2.0.so.0", "OpenCV", "libglib2.0-0"),
    SystemLibrary("libxcb.so.1", "OpenCV", "libxcb1"),
    SystemLibrary("libEGL.so.1", "MediaPipe", "libegl1"),
    SystemLibrary("libGLESv2.so.2", "MediaPipe", "libgles2"),
)


def missing_system_libraries() -> tuple[SystemLibrary, ...]:
    """Shared libraries that this Linux lacks; other systems bring what the packages need."""
    if sys.platform != "linux":
        return ()
    return tuple(library for library in SYSTEM_LIBRARIES if not _loads(library.soname))


@contextmanager
def system_libraries() -> Iterator[None]:
    """Turn the loader's complaint about a missing shared library into a SystemLibraryError."""
    try:
        yield
    except (ImportError, OSError) as error:
        found = re.search(r"(lib[\w.+-]+\.so[\d.]*): cannot open shared object", str(error))
        if found is None:
            raise
        library = found.group(1)
        packages = {known.soname: known.debian_package for known in SYSTEM_LIBRARIES}
        package = packages.get(library)
        advice = f"install it: apt-get install {package}" if package else "install what has it"
        raise SystemLibraryError(
            f"the system library {library} is missing; {advice} (or your system's equivalent)"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what native code prints to stderr while a model loads, and show it only on an error.

    The libraries write to the file descriptor from C++, past Python's own stderr.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            said.seek(0)
            os.write(2, said.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@cache
def opencv() -> Any:
    """The module cv2; SystemLibraryError when a shared library of the system is missing."""
    with system_libraries():
        import cv2
    return cv2


def onnx_session_options(num_threads: int) -> Any:
    """Options of an onnxruntime session that keeps to ``num_threads`` and only reports errors."""
    if num_threads < 1:
        raise ValueError(f"num_threads is {num_threads}, wanted at least 1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    # Idle threads that spin would take a core from the networks beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def onnx_session(path: Path, num_threads: int) -> Any:
    """An onnxruntime session on the CPU; WeightsError when the file is missing."""
    check_model_file(path)
    import onnxruntime

    return onnxruntime.InferenceSession(
        str(path),
        sess_options=onnx_session_options(num_threads),
        providers=["CPUExecutionProvider"],
    )


def check_model_file(path: Path) -> None:
    """Raise WeightsError unless a model file is there."""
    if not path.is_file():
        raise WeightsError(f"{path} is missing; run: megafs-video models fetch")


def _loads(library: str) -> bool:
    try:
        CDLL(library)
    except OSError:
        return False
    return True
