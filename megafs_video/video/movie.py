"""The file being written: its encoder, its muxer and the streams that are copied beside it."""

from __future__ import annotations

import contextlib
import math
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import PictureType
from av.video.stream import VideoStream

from megafs_video.values import Frame
from megafs_video.video.colour import ColourTags, ToLayout, ToYuv
from megafs_video.video.encoders import PLANNING_RATE, Encoding, open_encoder
from megafs_video.video.media import open_container, picture_stream
from megafs_video.video.orientation import IDENTITY, is_transposed, turn_back
from megafs_video.video.passthrough import Passthrough, stream_metadata
from megafs_video.video.planes import DecodedPicture
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
        path: Path,
        encoding: Encoding,
        info: VideoInfo,
        first: Frame,
        *,
        is_cut: bool,
        end_seconds: float | None,
        notes: list[str],
    ) -> None:
        self._shift_pts = first.pts if is_cut else 0
        self._time_base = first.time_base
        self._start = (first.pts - self._shift_pts) * self._time_base  # seconds
        self._path = path
        self._muxer = encoding.format.muxer
        self._notes = notes
        self._durations: dict[int, int] = {}  # pts -> ticks, of frames inside the encoder
        self._matrix = info.display_matrix
        height, width = turn_back(first.pixels, self._matrix).shape[:2]
        pixel_format = encoding.pixel_format(height, width)
        tags = ColourTags(
            info.color_space, info.color_range, info.color_primaries, info.color_transfer
        ).for_yuv(height, width)
        self._to_yuv, self._to_layout = ToYuv(tags, pixel_format), ToLayout(pixel_format)
        self._container = av.open(
            str(path),
            "w",
            format=encoding.format.muxer,
            container_options=(
                _mp4_clocks(info, first, is_cut=is_cut)
                if encoding.format.muxer in ("mp4", "mov")
                else {}
            ),
        )
        with contextlib.ExitStack() as opened:
            opened.callback(self._close_container)
            self._stream = self._add_stream(encoding, info, height, width, tags)
            self._passthrough = Passthrough(
                info.path,
                self._container,
                subtitle_codec=encoding.format.subtitle_codec,
                shift=self._shift_pts * self._time_base,
                end_seconds=end_seconds,
                notes=notes,
            )
            opened.callback(self._passthrough.close)
            self._stream.metadata.update(stream_metadata(self._passthrough.picture))
            self._stream.disposition = self._passthrough.picture.disposition
            self._container.start_encoding()
            opened.pop_all()
        if (self._time_base / cast(Fraction, self._stream.time_base)).denominator != 1:
            notes.append(
                f"{encoding.format.muxer} counts time in steps of {self._stream.time_base} s: "
                "timestamps were rounded to it"
            )

    def _add_stream(
        self, encoding: Encoding, info: VideoInfo, height: int, width: int, tags: ColourTags
    ) -> VideoStream:
        stream = cast(
            VideoStream,
            self._container.add_stream(
                encoding.codec.encoder,
                rate=info.frame_rate or PLANNING_RATE,
                options=encoding.options_with(info.grading),
            ),
        )
        context = stream.codec_context
        context.height, context.width = height, width
        context.pix_fmt = encoding.pixel_format(height, width)
        # On the stream and on its encoder: without both a variable rate is lost.
        stream.time_base = context.time_base = self._time_base
        self._aspect = info.sample_aspect_ratio or Fraction(1)
        if is_transposed(self._matrix):
            self._aspect = 1 / self._aspect  # of the picture as it is stored
        if self._aspect != 1:
            context.sample_aspect_ratio = self._aspect
        context.colorspace, context.color_range = tags.matrix, tags.range
        context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        if encoding.codec.name == "hevc" and encoding.format.muxer in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # the only tag for HEVC that Apple's players take
        if self._matrix != IDENTITY:
            stream.set_display_matrix(self._matrix)
        open_encoder(context, encoding.codec)
        return stream

    def encode(self, frame: Frame, duration: int) -> None:
        """Add one picture, shown for ``duration`` ticks; as it is stored, not as it is turned."""
        if isinstance(frame.decoded, DecodedPicture):
            native = self._to_layout(frame.decoded.showing(frame.pixels))
        else:
            native = self._to_yuv(turn_back(frame.pixels, self._matrix))
        native.pts, native.time_base = frame.pts - self._shift_pts, self._time_base
        native.duration = duration
        native.pict_type = PictureType.NONE  # the encoder decides, whatever the input did
        self._durations[native.pts] = duration
        self._mux(self._stream.encode(native))

    def finish(self) -> None:
        """Write what the encoder holds, the rest of the copied streams and the index."""
        self._mux(self._stream.encode(None))
        self._passthrough.copy_until(None)
        self._passthrough.close()
        wanted = dict(self._container.metadata)
        wanted_roles = [stream.disposition for stream in self._container.streams]
        self._container.close()
        with open_container(self._path) as written:
            kept = {key.lower() for key in written.metadata}
            stream = picture_stream(written, self._path)
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
            self._notes.append(
                f"{self._passthrough.early}, which {self._muxer} cannot hold: "
                "all streams were moved by that"
            )
        if aspect != self._aspect:
            self._notes.append(
                f"pixels are {self._aspect} as wide as high, which this codec in {self._muxer} "
                "cannot say: players will show the picture too narrow or too wide; use .mp4"
            )
        if lost := sorted(key for key in wanted if key.lower() not in kept):
            self._notes.append(
                f"metadata that {self._muxer} does not know was left out: {', '.join(lost)}"
            )

    def abandon(self) -> None:
        """Close everything, whatever state it is in."""
        self._passthrough.close()
        self._close_container()

    def _close_container(self) -> None:
        with contextlib.suppress(av.FFmpegError, OSError):
            self._container.close()

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            if packet.pts is not None:
                # Encoders that reorder frames forget how long each one lasts.
                packet.duration = self._durations.pop(packet.pts, packet.duration)
            ticks = packet.pts if packet.dts is None else packet.dts
            if ticks is not None:
                self._passthrough.copy_until(ticks * packet.time_base)
            self._container.mux_one(packet)


def _mp4_clocks(info: VideoInfo, first: Frame, *, is_cut: bool) -> dict[str, str]:
    """Clocks of an MP4 that hold the picture's times, and late starts of a stream, exactly.

    Left alone, the muxer counts the picture in ticks of its own choice. Its header counts
    milliseconds, as most inputs do, which keeps their stated durations; where a stream would
    start between two of them, it gets a clock that every stream's ticks fit into.
    """
    rates = (rate for rate in info.audio_rates if rate > 0)
    common = math.lcm(first.time_base.denominator, *rates)
    starts = (first.pts * first.time_base, *info.audio_starts)
    is_whole = all((start * _DEFAULT_MP4_CLOCK).denominator == 1 for start in starts if start > 0)
    is_default = (is_whole and not is_cut) or common > _MAX_MP4_CLOCK
    return {
        "video_track_timescale": str(first.time_base.denominator),
        "movie_timescale": str(_DEFAULT_MP4_CLOCK if is_default else common),
    }


def _words(role: Disposition) -> str:
    """A disposition as people read it."""
    return " and ".join((each.name or "").replace("_", " ") for each in role)
