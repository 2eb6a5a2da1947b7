"""The file being written: its encoder, its muxer and the streams that are copied beside it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, cast

import av
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from megafs_video.values import Frame
from megafs_video.video.compressor import Compressor, Opening
from megafs_video.video.encoders import Encoding
from megafs_video.video.media import open_container, picture_stream
from megafs_video.video.passthrough import Passthrough, printable, stream_metadata
from megafs_video.video.probe import VideoInfo

# The largest clock that an MP4's header can hold, and the one it gets without being told.
_MAX_MP4_CLOCK = 2**31 - 1
_DEFAULT_MP4_CLOCK = 1000

# A start that differs by more was moved, not rounded.
_LEAST_MOVE_SECONDS = Fraction(1, 500)


class MovieFile:
    """One output; errors of FFmpeg and of the system come out as they are."""

    def __init__(
        self,
        path: Path | BinaryIO,
        encoding: Encoding,
        info: VideoInfo,
        opening: Opening,
        *,
        end_seconds: float | None,
        notes: list[str],
    ) -> None:
        self._start = opening.start
        self._path = path
        self._muxer = encoding.format.muxer
        self._notes = notes
        self._container = av.open(
            str(path) if isinstance(path, Path) else path,
            "w",
            format=encoding.format.muxer,
            container_options=(
                _mp4_clocks(info, opening) if encoding.format.muxer in ("mp4", "mov") else {}
            ),
        )
        with contextlib.ExitStack() as opened:
            opened.callback(self._close_container)
            self._compressor = Compressor(self._container, encoding, info, opening)
            self._stream = self._compressor.stream
            self._passthrough = Passthrough(
                info.path,
                self._container,
                subtitle_codec=encoding.format.subtitle_codec,
                shift=opening.shift_pts * opening.time_base,
                end_seconds=end_seconds,
                notes=notes,
            )
            opened.callback(self._passthrough.close)
            self._stream.metadata.update(stream_metadata(self._passthrough.picture))
            self._stream.disposition = self._passthrough.picture.disposition
            self._container.start_encoding()
            opened.pop_all()
        if (opening.time_base / cast(Fraction, self._stream.time_base)).denominator != 1:
            notes.append(
                f"{encoding.format.muxer} counts time in steps of {self._stream.time_base} s: "
                "timestamps were rounded to it"
            )

    def encode(self, frame: Frame, duration: int) -> None:
        """Add one picture, shown for ``duration`` ticks."""
        self.add(self._compressor.encode(frame, duration))

    def finish(self) -> None:
        """Write what the encoder holds, and all that ``end`` writes."""
        self.add(self._compressor.finish())
        self.end()

    def add(self, packets: Iterable[Packet[VideoStream]]) -> None:
        """Write packets of the picture, and what belongs beside them."""
        for packet in packets:
            packet.stream = self._stream
            ticks = packet.pts if packet.dts is None else packet.dts
            if ticks is not None:
                self._passthrough.copy_until(ticks * packet.time_base)
            self._container.mux_one(packet)

    def end(self) -> None:
        """Write the rest of the copied streams and the index."""
        self._passthrough.copy_until(None)
        self._passthrough.close()
        wanted = dict(self._container.metadata)
        wanted_roles = [stream.disposition for stream in self._container.streams]
        self._container.close()
        if isinstance(self._path, Path):
            self._compare(self._path, wanted, wanted_roles)
        elif self._passthrough.early is not None:
            self._note_early()

    def _compare(self, path: Path, wanted: dict[str, str], wanted_roles: list[Disposition]) -> None:
        """Note what the file, read back, does not say."""
        with open_container(path) as written:
            kept = {key.lower() for key in written.metadata}
            stream = picture_stream(written, path)
            aspect = stream.sample_aspect_ratio or Fraction(1)
            start = (stream.start_time or 0) * cast(Fraction, stream.time_base)
            # Containers that add streams of their own (chapters, time codes) add them at the end.
            for role, copy in zip(wanted_roles, written.streams, strict=False):
                if lost_role := role & ~copy.disposition:
                    self._notes.append(
                        f"{copy.type} stream #{copy.index} is marked {_words(lost_role)}, "
                        f"which {self._muxer} cannot say"
                    )
        # Some muxers cannot begin before zero, and then move all streams alike.
        is_moved = start - self._start > _LEAST_MOVE_SECONDS
        if self._passthrough.early is not None and is_moved:
            self._note_early()
        if aspect != self._compressor.aspect:
            self._notes.append(
                f"pixels are {self._compressor.aspect} as wide as high, which this codec in "
                f"{self._muxer} cannot say: players will show the picture too narrow or too wide; "
                "use .mp4"
            )
        if lost := sorted(printable(key) for key in wanted if key.lower() not in kept):
            self._notes.append(
                f"metadata that {self._muxer} does not know was left out: {', '.join(lost)}"
            )

    def _note_early(self) -> None:
        self._notes.append(
            f"{self._passthrough.early}, which {self._muxer} cannot hold: "
            "all streams were moved by that"
        )

    def abandon(self) -> None:
        """Close everything, whatever state it is in."""
        self._passthrough.close()
        self._close_container()

    def _close_container(self) -> None:
        with contextlib.suppress(av.FFmpegError, OSError):
            self._container.close()


def _mp4_clocks(info: VideoInfo, opening: Opening) -> dict[str, str]:
    """Clocks of an MP4 that hold the picture's times, and late starts of a stream, exactly.

    Left alone, the muxer counts the picture in ticks of its own choice. Its header counts
    milliseconds, as most inputs do, which keeps their stated durations; where a stream would
    start between two of them, it gets a clock that every stream's ticks fit into.
    """
    rates = (rate for rate in info.audio_rates if rate > 0)
    common = math.lcm(opening.time_base.denominator, *rates)
    starts = (opening.pts * opening.time_base, *info.audio_starts)
    is_whole = all((start * _DEFAULT_MP4_CLOCK).denominator == 1 for start in starts if start > 0)
    is_default = (is_whole and not opening.is_cut) or common > _MAX_MP4_CLOCK
    return {
        "video_track_timescale": str(opening.time_base.denominator),
        "movie_timescale": str(_DEFAULT_MP4_CLOCK if is_default else common),
    }


def _words(role: Disposition) -> str:
    """A disposition as people read it."""
    return " and ".join((each.name or "").replace("_", " ") for each in role)
