"""The work folder: what a run has finished, kept beside the output for a run that takes it up.

``OUTPUT.megafs-work`` holds what a run is made of (``run.json``), the finished pieces of the
picture (``video/segments.py``), and what the stages know at the frame behind the last of them
(``checkpoint.safetensors``, replaced in one step). A run may be killed at any instant: a piece
that the checkpoint does not count is written again. The folder grows to the size of the output's
pictures, while they are joined to twice that, and goes when the output is there.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import safetensors
import safetensors.numpy
from filelock import FileLock, Timeout

from megafs_video.checkpoint import Checkpoint, Packed
from megafs_video.errors import ResumeError
from megafs_video.values import Frame
from megafs_video.video.landing import name_durably, output_error
from megafs_video.video.read import Place, ReadLog

SEGMENT_FRAMES = 120
"""Frames between two checkpoints: what a kill costs at most, beside those inside the stages.
Each piece begins with a key frame, so many short ones would make the output larger."""

_RUN, _CHECKPOINT, _LOCK = "run.json", "checkpoint.safetensors", "lock"
# Without its checkpoint nothing in a folder counts, so that goes first.
_CONTENT = (_CHECKPOINT, _RUN, "*.packets", "*.part")

_MAX_DIFFERENCES_SHOWN = 3


def folder_of(output: Path) -> Path:
    """The work folder of an output.

    >>> folder_of(Path("clips/out.mp4")).name
    'out.mp4.megafs-work'
    """
    return output.with_name(f"{output.name}.megafs-work")


class Work:
    """A work folder in the hands of one run; ``opened_work`` makes it."""

    def __init__(self, folder: Path, found: Checkpoint | None) -> None:
        self.folder = folder
        self.found = found  # where an earlier run stopped; None: at the beginning
        # Up to there all is finished.
        self.place = None if found is None else found.memory("read", Place)

    def marked(self, frames: Generator[Frame, None, None], log: ReadLog) -> Iterator[Frame]:
        """Frames as they are read from ``place`` on, some of them with a checkpoint."""
        begin = 0 if self.place is None else self.place.frame_index
        with closing(frames):
            for index, frame in zip(count(begin), frames, strict=False):
                checkpoint = None
                if index == begin:
                    checkpoint = self.found
                elif index % SEGMENT_FRAMES == 0:
                    checkpoint = Checkpoint()
                    checkpoint.carried("read", Place.of(frame, index, log))
                yield frame if checkpoint is None else replace(frame, checkpoint=checkpoint)

    def save(self, checkpoint: Checkpoint) -> None:
        """From now on another run goes on there; OutputError if it cannot be written."""
        memories = checkpoint.memories
        arrays = {
            f"{name}.{number}": array
            for name, packed in memories.items()
            for number, array in enumerate(packed.arrays)
        }
        trees = {name: [packed.tree, len(packed.arrays)] for name, packed in memories.items()}
        raw = safetensors.numpy.save(arrays, {"trees": json.dumps(trees)})
        _write(self.folder / _CHECKPOINT, raw)
        self.place = checkpoint.memory("read", Place)

    def clear(self) -> None:
        """Forget everything."""
        for pattern in _CONTENT:
            for path in self.folder.glob(pattern):
                path.unlink()
        self.place = None


@contextmanager
def opened_work(output: Path, identity: Mapping[str, str]) -> Iterator[Work]:
    """The work for an output, found or begun; it goes when the block ends well.

    ``identity`` says what the run is made of: what must be the same for the pictures to be. When
    the block fails, the error gets a note on what is finished and how to go on.

    ResumeError: the folder belongs to another run, is held by one, or is damaged. OutputError: it
    cannot be written.
    """
    with _held(output) as folder:
        found = _found(folder, identity)
        work = Work(folder, found)
        if found is None:
            work.clear()
            _write(folder / _RUN, json.dumps(dict(identity), indent=2).encode())
        try:
            yield work
        except BaseException as error:
            if work.place is not None and not isinstance(error, ResumeError):
                error.add_note(
                    f"{work.place.frame_index} frames (up to {work.place.seconds:.3f} s of the "
                    f"clip) are finished and kept in {folder}: run the same command to go on"
                )
            elif work.place is None:
                work.clear()
            raise
        work.clear()


def forget(output: Path) -> None:
    """Remove what an earlier run left for an output, if anything; errors as for ``opened_work``."""
    if folder_of(output).is_dir():
        with _held(output) as folder:
            Work(folder, None).clear()


@contextmanager
def _held(output: Path) -> Iterator[Path]:
    """The folder, made if need be, held by this run alone; at the end it goes if it is empty."""
    folder = folder_of(output)
    lock = FileLock(folder / _LOCK)
    try:
        folder.mkdir(exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ResumeError(
            f"{folder} is in use by another run; wait for it, or choose another output"
        ) from error
    except OSError as error:
        raise output_error(folder, error) from error
    try:
        yield folder
    finally:
        lock.release()
        if {path.name for path in folder.iterdir()} <= {_LOCK}:
            with suppress(OSError):  # another run has begun in this very moment
                (folder / _LOCK).unlink(missing_ok=True)
                folder.rmdir()


def _found(folder: Path, identity: Mapping[str, str]) -> Checkpoint | None:
    """Where an earlier run of the same identity stopped; None if it finished nothing."""
    path = folder / _CHECKPOINT
    if not path.exists():
        return None
    try:
        earlier: dict[str, str] = dict(json.loads((folder / _RUN).read_bytes()))
        checkpoint = read_checkpoint(path)
        checkpoint.memory("read", Place)
    except (OSError, ValueError, TypeError, LookupError, safetensors.SafetensorError) as error:
        raise ResumeError(f"{path} is damaged; delete the folder to begin anew") from error
    differences = [
        _difference(name, earlier.get(name), identity.get(name))
        for name in sorted({*earlier, *identity})
        if earlier.get(name) != identity.get(name)
    ]
    if differences:
        shown = "; ".join(differences[:_MAX_DIFFERENCES_SHOWN])
        more = len(differences) - _MAX_DIFFERENCES_SHOWN
        raise ResumeError(
            f"{folder} was begun otherwise: {shown}{f'; and {more} more' if more > 0 else ''}. "
            "Run as before to go on, or give --no-resume to begin anew"
        )
    return checkpoint


def _difference(name: str, before: str | None, now: str | None) -> str:
    if before is None or now is None or len(before) == len(now) == 64:  # sha256 tells nothing
        return f"{name} is another"
    return f"{name} was {before}, is {now}"


def read_checkpoint(path: Path) -> Checkpoint:
    """A checkpoint as ``Work.save`` writes it; errors of reading come out as they are."""
    with safetensors.safe_open(path, "numpy") as file:
        trees = json.loads(file.metadata()["trees"])
        return Checkpoint(
            {
                name: Packed(tree, [file.get_tensor(f"{name}.{n}") for n in range(num_arrays)])
                for name, (tree, num_arrays) in trees.items()
            }
        )


def _write(path: Path, raw: bytes) -> None:
    """Write a file whole or not at all; OutputError if it cannot be written."""
    part = path.with_suffix(".part")
    try:
        part.write_bytes(raw)
        name_durably(part, path)
    except OSError as error:
        raise output_error(path, error) from error
