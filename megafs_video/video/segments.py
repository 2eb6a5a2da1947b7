"""A picture stream in pieces, each encoded alone and kept in a file of its own until all are there.

A file appears whole, and stays whole if the power goes: it is written beside its name, forced to
the disk, and renamed. It holds the packets, one behind the other, then what is to know of each as
JSON, and how long that is.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.packet import Packet
from av.video.stream import VideoStream

from megafs_video.errors import ResumeError
from megafs_video.values import Frame
from megafs_video.video.compressor import Compressor, Opening
from megafs_video.video.encoders import Encoding
from megafs_video.video.landing import name_durably
from megafs_video.video.movie import MovieFile
from megafs_video.video.probe import VideoInfo

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True)
class _Entry:
    """What is to know of a packet, beside its bytes; times in ticks of the picture."""

    pts: int
    dts: int
    duration: int
    is_keyframe: bool
    size_bytes: int


class SegmentWriter:
    """Writes one file of packets."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_suffix(".part")
        self._file = self._part.open("wb")
        self._entries: list[_Entry] = []

    def add(self, packets: Iterable[Packet[VideoStream]]) -> None:
        """Put packets behind those there are."""
        for packet in packets:
            assert packet.pts is not None  # every frame has one
            dts = packet.pts if packet.dts is None else packet.dts
            duration = packet.duration or 0
            entry = _Entry(packet.pts, dts, duration, packet.is_keyframe, packet.size)
            self._file.write(bytes(packet))
            self._entries.append(entry)

    def finish(self) -> None:
        """Give the file its name, for good."""
        index = json.dumps([astuple(entry) for entry in self._entries]).encode()
        self._file.write(index + _LENGTH.pack(len(index)))
        self._file.close()
        name_durably(self._part, self._path)

    def discard(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._part.unlink(missing_ok=True)


def joined(paths: Iterable[Path], time_base: Fraction) -> Iterator[Packet[VideoStream]]:
    """The packets of all segments in order, one held at a time.

    Encoders that reorder frames begin with decoding times before the first frame. From the second
    segment on those would fall into the one before it: as many frames late as the first segment
    has it, a packet is decoded when a frame is shown.

    ResumeError: a file is damaged.
    """
    late: list[int] = []  # pts of the last frames that were shown, and not yet a decoding time
    for number, path in enumerate(paths):
        with path.open("rb") as file:
            entries = _read_index(file, path)
            shown = sorted(entry.pts for entry in entries)
            if number == 0:
                decoded = [entry.dts for entry in entries]
                late = shown[sum(entry.dts >= shown[0] for entry in entries) :]
            else:
                late += shown
                decoded, late = late[: len(shown)], late[len(shown) :]
            file.seek(0)
            for entry, dts in zip(entries, decoded, strict=True):
                packet: Packet[VideoStream] = Packet(file.read(entry.size_bytes))  # type: ignore[assignment]
                packet.time_base = time_base
                packet.pts, packet.dts, packet.duration = entry.pts, dts, entry.duration
                packet.is_keyframe = entry.is_keyframe
                yield packet


def _read_index(file: io.BufferedReader, path: Path) -> list[_Entry]:
    try:
        end = file.seek(-_LENGTH.size, io.SEEK_END)
        (length,) = _LENGTH.unpack(file.read())
        start = file.seek(end - length)
        entries = [_Entry(*values) for values in json.loads(file.read(length))]
    except (OSError, ValueError, TypeError, struct.error) as error:
        raise _damaged(path) from error
    if not entries or sum(entry.size_bytes for entry in entries) != start:
        raise _damaged(path)
    return entries


def _damaged(path: Path) -> ResumeError:
    return ResumeError(f"{path} is damaged; delete the folder {path.parent} to begin anew")


class SegmentedMovie:
    """A ``MovieFile`` that is made of segments: whatever was cut off is there for good.

    Segments lie in ``folder``; the first ``num_segments`` of them are those of an earlier run.
    """

    def __init__(
        self,
        path: Path,
        encoding: Encoding,
        info: VideoInfo,
        opening: Opening,
        *,
        end_seconds: float | None,
        notes: list[str],
        folder: Path,
        num_segments: int = 0,
    ) -> None:
        self.num_segments = num_segments
        self._path = path
        self._encoding, self._info, self._opening = encoding, info, opening
        self._end_seconds = end_seconds
        self._notes = notes
        self._folder = folder
        self._segment: tuple[Compressor, SegmentWriter] | None = None
        # A container that refuses the streams does so now, and not when all the work is done.
        rehearsal = self._open_movie([])
        rehearsal.abandon()
        path.unlink(missing_ok=True)

    def encode(self, frame: Frame, duration: int) -> None:
        """Add one picture, shown for ``duration`` ticks."""
        if self._segment is None:
            # A container that is never begun lends its settings to an encoder.
            lent = av.open(io.BytesIO(), "w", format=self._encoding.format.muxer)
            compressor = Compressor(lent, self._encoding, self._info, self._opening)
            self._segment = compressor, SegmentWriter(self._file(self.num_segments))
        compressor, segment = self._segment
        segment.add(compressor.encode(frame, duration))

    def cut(self) -> None:
        """End a segment: the next picture begins a new one."""
        assert self._segment is not None
        compressor, segment = self._segment
        segment.add(compressor.finish())
        segment.finish()
        # Stream and container hold each other: without this the encoder would wait, with all its
        # frames, for the garbage collector.
        compressor.stream.container.close()
        self._segment = None
        self.num_segments += 1

    def finish(self) -> None:
        """Join all segments, and write what ``MovieFile`` writes beside the picture."""
        if self._segment is not None:
            self.cut()
        movie = self._open_movie(self._notes)
        try:
            files = map(self._file, range(self.num_segments))
            movie.add(joined(files, self._opening.time_base))
            movie.end()
        except BaseException:
            movie.abandon()
            raise

    def abandon(self) -> None:
        """Close everything, whatever state it is in; segments that are whole stay."""
        if self._segment is not None:
            self._segment[1].discard()

    def _open_movie(self, notes: list[str]) -> MovieFile:
        return MovieFile(
            self._path,
            self._encoding,
            self._info,
            self._opening,
            end_seconds=self._end_seconds,
            notes=notes,
        )

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:06}.packets"
