"""Land a file whole or not at all: write beside the final name, rename when done."""

from __future__ import annotations

import contextlib
import errno
import os
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from megafs_video.errors import (
    DiskFullError,
    OutputError,
    OutputExistsError,
    OutputFolderError,
)


def check_landing(path: Path, *, overwrite: bool) -> None:
    """Raise an OutputError if a file could not land at ``path``: before the work, not after."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise OutputFolderError(f"the folder of {path} does not exist; make it: mkdir -p {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputFolderError(
            f"the folder of {path} is not writable; choose another or change it"
        )
    if len(os.fsencode(path.name)) > MAX_NAME_BYTES:
        raise OutputError(f"{path} has too long a name; give one of up to {MAX_NAME_BYTES} bytes")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give a file name in it")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is not an ordinary file; choose another name")
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists already; choose another name or allow --overwrite")


# What file systems allow, less the room that a hidden name takes.
MAX_NAME_BYTES = 240


class Landing:
    """A hidden file beside ``path`` that becomes it, or leaves nothing behind.

    The hidden name keeps the suffix (writers choose a format by it) and holds the process's
    number, so that two runs never share one. In a ``folder`` of this run alone, on the same disk,
    it needs no hiding.
    """

    def __init__(self, path: Path, *, overwrite: bool, folder: Path | None = None) -> None:
        check_landing(path, overwrite=overwrite)
        self.path = path
        self.hidden_path = (
            path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
            if folder is None
            else folder / path.name
        )
        self._overwrite = overwrite

    @property
    def place(self) -> Path:
        """Where to write."""
        return self.hidden_path

    def commit(self) -> None:
        """Give the hidden file its final name; OutputError if another run was faster."""
        check_landing(self.path, overwrite=self._overwrite)
        try:
            name_durably(self.hidden_path, self.path)
        except OSError as error:
            raise output_error(self.path, error) from error

    def discard(self) -> None:
        """Remove the hidden file; nothing else is touched."""
        with contextlib.suppress(OSError):  # a folder that vanished took the file along
            self.hidden_path.unlink(missing_ok=True)


class Outlet:
    """A stream in the place of a ``Landing``: whoever reads it has what was written."""

    path = Path("-")  # as it is called in messages

    def __init__(self, stream: BinaryIO) -> None:
        self.place = stream

    def commit(self) -> None:
        """Let go of the last bytes; OutputError if nobody reads them."""
        try:
            self.place.flush()
        except OSError as error:
            raise output_error(self.path, error) from error

    def discard(self) -> None:
        """What was written stays written."""


class WholeFile(ABC):
    """Something that is written in a ``with``: whole if the block ends well, else not at all."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self._finish()
        except BaseException:
            self._discard()
            raise

    @abstractmethod
    def _finish(self) -> None:
        """Make it whole."""

    @abstractmethod
    def _discard(self) -> None:
        """Leave nothing behind."""


def name_durably(hidden_path: Path, path: Path) -> None:
    """Give a file that is written its name: under that name it is whole, even if power goes."""
    with hidden_path.open("rb+") as file:
        os.fsync(file.fileno())
    hidden_path.replace(path)
    if os.name == "posix":  # elsewhere a folder cannot be opened, and names need no forcing
        folder = os.open(path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def output_error(path: Path, error: OSError) -> OutputError:
    """What an operating system's refusal to write means to a user."""
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFullError(
            f"{path} could not be written ({reason}); make room there or choose another folder"
        )
    if error.errno == errno.EPIPE:
        return OutputError("the program that reads the output has ended; see what it says")
    return OutputError(f"{path} could not be written ({reason}); choose another folder")
