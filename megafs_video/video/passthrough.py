"""Everything in a clip that is not the picture, carried into the new file packet for packet."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Disposition, Stream
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.stream import SubtitleStream

from megafs_video.video.media import open_container, picture_stream
from megafs_video.video.sequence import Footage

if TYPE_CHECKING:
    from av.container.core import Chapter  # exists for the type checker only

# Text codecs that FFmpeg turns into one another; the others are pictures.
_TEXT_SUBTITLES = frozenset({"ass", "mov_text", "srt", "ssa", "subrip", "text", "webvtt"})

# What a muxer writes about its own file; an input's values would be wrong.
_OWN_METADATA = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
)
_STALE_METADATA = ("bps", "number_of_frames", "number_of_bytes", "_statistics", "rotate")


class Passthrough:
    """Copies sound, subtitles, cover art, attachments, chapters and metadata of ``like``.

    Payloads stay as they are, times stay in each stream's own base. With a cut, what starts
    from ``shift`` (the time of the first frame written, seconds) up to the end is kept and
    moved back by it, as the picture is; a subtitle already on screen begins with the cut. What
    the container cannot hold is converted (text subtitles) or left out, and said in ``notes``.
    """

    def __init__(
        self,
        like: Footage,
        output: OutputContainer,
        *,
        subtitle_codec: str,
        shift: Fraction,
        end_seconds: float | None,
        notes: list[str],
    ) -> None:
        self._like = like
        self._container = open_container(like)
        self._output = output
        self._subtitle_codec = subtitle_codec
        self._shift = shift
        self._end = None if end_seconds is None else Fraction(end_seconds)
        self._notes = notes
        self.picture = picture_stream(self._container, like)
        self._copies: dict[int, Stream] = {}
        for stream in self._container.streams:
            if stream.index != self.picture.index:
                self._add(stream)
        self._copy_about()
        self.early: str | None = None  # what begins before zero, and by how much
        self._packets = self._read()
        self._waiting: Packet[Stream] | None = next(self._packets, None)

    def copy_until(self, seconds: Fraction | None) -> None:
        """Write what is decoded up to a time of the output (None: all that is left).

        One packet is held at a time: the muxer gets sound and picture side by side, so neither
        has to wait for the other in memory.
        """
        while self._waiting is not None:
            packet = self._waiting
            ticks = packet.pts if packet.dts is None else packet.dts
            if seconds is not None and ticks is not None and ticks * packet.time_base > seconds:
                return
            self._output.mux_one(packet)
            self._waiting = next(self._packets, None)

    def close(self) -> None:
        """Let go of the input."""
        self._container.close()

    def _add(self, stream: Stream) -> None:
        """Give the output a stream like this one, or note why not."""
        if isinstance(stream, AttachmentStream):
            self._attach(stream)
            return
        if stream.type == "data" and self._is_rewritten(stream):
            return
        if self._can_hold(stream):
            copy = self._output.add_stream_from_template(stream, opaque=True)
        elif isinstance(stream, SubtitleStream) and codec_of(stream) in _TEXT_SUBTITLES:
            copy = self._convert(stream)
        else:
            self._leave_out(stream)
            return
        copy.metadata.update(stream_metadata(stream))
        copy.disposition = stream.disposition
        self._copies[stream.index] = copy

    def _is_rewritten(self, stream: Stream) -> bool:
        """Whether the muxer makes such a stream anew: chapters as text, and a time code."""
        is_chapters = codec_of(stream) == "bin_data" and bool(self._container.chapters())
        return is_chapters or "timecode" in stream.metadata

    def _can_hold(self, stream: Stream) -> bool:
        """Whether the output's kind of file can hold a stream: tried with it alone, in memory.

        Some muxers refuse a codec when it is added, some when they begin, and some not before
        the end, when all the work is done. Subtitles are not read: they may begin very late.
        """
        trial = self._output.format.name
        try:
            with (
                open_container(self._like) as container,
                av.open(io.BytesIO(), "w", format=trial) as output,
            ):
                twin = container.streams[stream.index]
                copy = output.add_stream_from_template(twin, opaque=True)
                if stream.type != "subtitle" and (packet := next(container.demux(twin))).size:
                    packet.stream = copy
                    output.mux_one(packet)
                else:
                    output.start_encoding()
        except (ValueError, av.FFmpegError):
            return False
        return True

    def _convert(self, stream: SubtitleStream) -> Stream:
        copy = self._output.add_stream(self._subtitle_codec)
        assert isinstance(copy, SubtitleStream)
        stream.codec_context.open(strict=False)
        copy.codec_context.subtitle_header = stream.codec_context.subtitle_header
        copy.time_base = stream.time_base
        copy.codec_context.time_base = cast(Fraction, stream.time_base)
        self._notes.append(
            f"subtitle stream #{stream.index} ({codec_of(stream)}) was converted to "
            f"{self._subtitle_codec}, as the container cannot hold it"
        )
        return copy

    def _attach(self, stream: AttachmentStream) -> None:
        if self._output.format.name != "matroska":
            self._leave_out(stream)
            return
        name = stream.name or f"attachment {stream.index}"
        mimetype = stream.mimetype or "application/octet-stream"
        self._output.add_attachment(name, mimetype, stream.data)

    def _leave_out(self, stream: Stream) -> None:
        self._notes.append(
            f"{stream.type} stream #{stream.index} ({codec_of(stream)}) was left "
            f"out: {self._output.format.name} cannot hold it; an .mkv output holds the most kinds"
        )

    def _copy_about(self) -> None:
        for key, value in self._container.metadata.items():
            if key.lower() not in _OWN_METADATA:
                self._output.metadata[key] = value
        if chapters := [
            kept for kept in map(self._cut_chapter, self._container.chapters()) if kept
        ]:
            self._output.set_chapters(chapters)

    def _cut_chapter(self, chapter: Chapter) -> Chapter | None:
        base = chapter["time_base"] or Fraction(1)
        shift = round(self._shift / base)
        start = max(0, chapter["start"] - shift)
        end = chapter["end"] - shift
        if self._end is not None:
            end = min(end, round(self._end / base) - shift)
        return None if end <= start else cast("Chapter", {**chapter, "start": start, "end": end})

    def _read(self) -> Iterator[Packet[Stream]]:
        """The packets to write, in the order of the input, already on the output's clock."""
        streams = [self._container.streams[index] for index in self._copies]
        if not streams:
            return
        packets = self._container.demux(streams)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self._notes.append(f"the sound and subtitles end early: {error.strerror}")
                return
            if packet is None:
                return
            if packet.size > 0 and (kept := self._cut(packet)) is not None:
                yield kept

    def _cut(self, packet: Packet[Any]) -> Packet[Stream] | None:
        """The packet as it goes into the output; None if it lies outside the cut."""
        stream: Stream = packet.stream
        copy = self._copies[stream.index]
        base = packet.time_base
        shift = round(self._shift / base)
        is_cover = bool(stream.disposition & Disposition.attached_pic)
        if packet.pts is not None and not is_cover:
            end = None if self._end is None else self._end / base
            if end is not None and packet.pts >= end:
                return None
            if shift and packet.pts < shift:
                left = packet.pts + (packet.duration or 0) - shift
                if stream.type != "subtitle" or left <= 0:
                    return None
                packet.pts, packet.dts, packet.duration = shift, shift, left
            if end is not None and stream.type == "subtitle" and packet.duration:
                packet.duration = min(packet.duration, int(end) - packet.pts)
        if isinstance(stream, SubtitleStream) and codec_of(stream) != codec_of(copy):
            encoder = cast(SubtitleStream, copy).codec_context
            if (converted := _converted(packet, stream, encoder)) is None:
                return None
            packet = converted
        if shift and not is_cover:
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = None if packet.dts is None else packet.dts - shift
        if stream.type == "data" and not packet.duration:
            packet.duration = 1  # a last packet that lasts no time is cut off by an edit list
        self._see_early(packet)
        packet.stream = copy
        return packet

    def _see_early(self, packet: Packet[Any]) -> None:
        """Remember the first stream that begins before zero: not every muxer can write that."""
        if self.early is None and packet.pts is not None and packet.pts < 0:
            early_seconds = float(-packet.pts * packet.time_base)
            self.early = f"{packet.stream.type} begins {early_seconds:.3f} s before 0"


def codec_of(stream: Stream) -> str:
    """FFmpeg's name of a stream's codec; one that it does not know has no such attribute."""
    return printable(getattr(stream, "name", None) or "unknown codec")


def printable(text: str) -> str:
    """What a file calls something, fit for a terminal.

    >>> printable("mood\\x1b[2J")
    'mood?[2J'
    """
    return "".join(each if each.isprintable() else "?" for each in text)


def stream_metadata(stream: Stream) -> dict[str, str]:
    """A stream's metadata that still holds for a copy: no statistics, no encoder's name."""
    return {
        key: value
        for key, value in stream.metadata.items()
        if key.lower() not in _OWN_METADATA and not key.lower().startswith(_STALE_METADATA)
    }


def _converted(
    packet: Packet[Any], stream: SubtitleStream, encoder: SubtitleCodecContext
) -> Packet[Any] | None:
    """The same subtitle in another text codec, at the same time; None if it says nothing."""
    subtitles = stream.codec_context.decode2(packet)
    if subtitles is None or len(subtitles) == 0:
        return None
    copy: Packet[Any] = Packet(bytes(encoder.encode_subtitle(subtitles)))
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    copy.time_base = packet.time_base
    return copy
