"""The folder of fetched model files: where each lies, whether it is whole, how one gets in."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import platformdirs
from filelock import FileLock, Timeout

from megafs_video.errors import WeightsError
from megafs_video.weights.table import find

CHUNK_BYTES = 2**20


def home() -> Path:
    """The cache folder: MEGAFS_VIDEO_HOME, else the platform's cache folder for this user."""
    chosen = os.environ.get("MEGAFS_VIDEO_HOME", "").strip()
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("megafs-video", appauthor=False)


def path_of(name: str) -> Path:
    """Where a file of the table lies once fetched, be it there or not."""
    return home() / find(name).cache_path


def is_cached(name: str) -> bool:
    """Whether a file of the right size is there (a quick look: ``verify`` reads it all)."""
    path = path_of(name)
    return path.is_file() and path.stat().st_size == find(name).size_bytes


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal; WeightsError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error


def verify(name: str) -> Path:
    """The path of a cached file whose sha256 is right; WeightsError if missing or damaged."""
    path = path_of(name)
    command = f"run: megafs-video models fetch {name}"
    if not path.is_file():
        raise WeightsError(f"{name} is not in the cache ({path}); {command}")
    found, wanted = sha256_of(path), find(name).sha256
    if found != wanted:
        raise WeightsError(
            f"{path} is damaged (sha256 {found[:8]}, wanted {wanted[:8]}); {command}"
        )
    return path


@contextmanager
def landing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that appears at ``path`` whole, or not at all if the block fails.

    It is written beside its final name. WeightsError if the folder cannot be written or is full.
    """
    unfinished: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{uuid4().hex}.part")
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        unfinished = None
    except OSError as error:
        raise unwritable(path.parent, error) from error
    finally:
        if unfinished is not None:
            with suppress(FileNotFoundError):
                unfinished.unlink()


@contextmanager
def locked(key: str, announce: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock called ``key`` among all processes that use this cache folder."""
    folder = home() / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{key}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            announce(f"another process is fetching {key}; waiting for it")
            lock.acquire()
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def unwritable(folder: Path, error: OSError) -> WeightsError:
    """The error to raise when a folder of the cache cannot be written."""
    return WeightsError(
        f"cannot write to the cache folder {folder} ({error.strerror}); make room or rights, "
        "or choose another folder with the environment variable MEGAFS_VIDEO_HOME"
    )
