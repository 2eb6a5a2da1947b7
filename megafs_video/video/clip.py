"""One open video: its picture stream, decoded forward from the start or from any time.

The only place that seeks and decodes pictures. Times are exact on every container because a
seek is only ever a hint: decoding starts at a key frame that is *shown* no later than the
wanted time, found by seeking earlier and earlier, and goes forward by timestamps.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from types import TracebackType
from typing import NamedTuple

import av
from av.packet import Packet
from av.video.stream import VideoStream

from megafs_video.errors import DamagedVideoError, LostVideoError, VideoError
from megafs_video.values import Frame
from megafs_video.video.colour import ToRgb
from megafs_video.video.fields import progressive
from megafs_video.video.media import (
    MAX_FRAME_PIXELS,
    PHOTO_FORMATS,
    open_container,
    picture_stream,
)
from megafs_video.video.orientation import display_matrix, turn_upright
from megafs_video.video.planes import DecodedPicture
from megafs_video.video.sequence import Footage, file_of
from megafs_video.video.souvenirs import matrix_of_photo

# Two ways to write one second: a float such as 0.1 is not the fraction 1/10 that a stream
# counts in, so a time may miss a frame's by this much and still mean it.
TOLERANCE_SECONDS = Fraction(1, 1_000_000)

# AVI stores decoding times only; FFmpeg's guess at presentation times is out of order there.
_TIMED_BY_DTS = frozenset({"avi"})

# The time given to frames of a stream that states no rate at all.
_FALLBACK_RATE = Fraction(25)

# A damaged place may fail once or twice before reading gets past it; a dead disk fails forever.
_MAX_READ_FAILURES = 3

_MAX_PTS = 2**62


@dataclass
class ReadLog:
    """What a read met on its way; pass one in and look at it afterwards."""

    num_frames: int = 0  # handed out
    num_damaged_packets: int = 0  # could not be read or decoded, or are missing at the end
    damaged_from_seconds: float | None = None  # the last frame before the first of them
    num_concealed_frames: int = 0  # handed out, but the decoder had to fill in parts
    num_repaired_times: int = 0  # frames without a usable timestamp of their own
    num_deinterlaced_frames: int = 0  # consisted of two moments, of which one was kept


class TimedFrame(NamedTuple):
    """A decoded frame, not yet RGB, with the time that it is shown at."""

    native: av.VideoFrame
    pts: int  # strictly rising, in time_base of the stream
    duration: int  # at least 1; what the stream says, else one nominal frame


class Clip:
    """An open video, used in a ``with``; one run of frames at a time.

    The rule for times: a frame's own pts is kept untouched. A frame that has none is shown one
    nominal frame after the one before it (the first one at 0), and a frame whose pts does not
    come after the one before it is moved to the next tick; both are counted in the log.
    """

    def __init__(self, path: Footage, log: ReadLog | None = None) -> None:
        self.path = path
        self.log = log if log is not None else ReadLog()
        # What is written back are the decoded planes: their RGB is for looking at.
        self._to_rgb = ToRgb(is_exact=False)
        self._matrix_by_rotation: dict[int, tuple[int, ...]] = {}
        self._size: tuple[int, int] | None = None  # width and height, as stored
        self._run: Generator[TimedFrame, None, None] = (_ for _ in ())
        self._last_pts = 0  # of the frame that came last
        self._open()

    def _open(self) -> None:
        self.container = open_container(self.path)
        try:
            self.stream = picture_stream(self.container, self.path)
        except VideoError:
            self.container.close()
            raise
        self.stream.thread_type = "AUTO"
        self.time_base = self.stream.time_base or Fraction(1, av.time_base)
        self._is_fresh = True

    def __enter__(self) -> Clip:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run.close()
        self.container.close()

    @property
    def frame_rate(self) -> Fraction | None:
        """Frames a second on average, as the container says; never used to compute a time."""
        return self.stream.average_rate or self.stream.guessed_rate

    @property
    def nominal_duration(self) -> int:
        """Ticks that a frame lasts when nothing says how long."""
        return max(1, round(1 / (self.frame_rate or _FALLBACK_RATE) / self.time_base))

    def first_tick_at(self, seconds: float) -> int:
        """The first pts that is not before a time (give or take the tolerance)."""
        return -int((TOLERANCE_SECONDS - Fraction(seconds)) // self.time_base)

    def last_tick_at(self, seconds: float) -> int:
        """The last pts that is not after a time (give or take the tolerance)."""
        return int((Fraction(seconds) + TOLERANCE_SECONDS) // self.time_base)

    def seconds(self, pts: int) -> float:
        """The time of a pts."""
        return float(pts * self.time_base)

    def upright(self, timed: TimedFrame) -> Frame:
        """The frame as players show it, in RGB."""
        native = timed.native
        matrix = self.matrix_of(native)
        pixels = turn_upright(self._to_rgb(native), matrix)
        decoded = DecodedPicture.of(native, pixels, matrix)
        return Frame(pixels, timed.pts, self.time_base, decoded)

    def matrix_of(self, native: av.VideoFrame) -> tuple[int, ...]:
        """How players turn a frame: ``orientation.py`` explains the nine numbers."""
        # To look at a frame's side data ties it into a reference cycle, and hundreds of frames
        # would wait for the garbage collector; the angle alone comes without one.
        if native.rotation not in self._matrix_by_rotation:
            # PyAV has no name for EXIF, and shows no side data at all where it stands.
            is_photo = self.container.format.name in PHOTO_FORMATS
            matrix = matrix_of_photo(file_of(self.path)) if is_photo else display_matrix(native)
            self._matrix_by_rotation[native.rotation] = matrix
        return self._matrix_by_rotation[native.rotation]

    def frames(self, from_pts: int | None = None) -> Generator[TimedFrame, None, None]:
        """Frames in the order in which they are shown; closes the run before it, if any.

        With ``from_pts``, they begin at a key frame shown at or before it, so the frame on
        screen at that time is among them; if no key frame will do, at the clip's first frame.
        VideoError: no frame can be decoded.
        """
        self._run.close()
        self._run = self._frames(from_pts)
        return self._run

    def _frames(self, from_pts: int | None) -> Generator[TimedFrame, None, None]:
        if from_pts is not None and (found := self._seek(from_pts)) is not None:
            first, later = found
            yield first
            yield from later
            return
        self._reopen()
        num_frames = 0
        for timed in self._timed(self._decode(is_whole=True)):
            num_frames += 1
            yield timed
        if num_frames == 0:
            raise DamagedVideoError(
                f"{self.path} has a video stream, but no frame of it can be decoded; "
                "the file is damaged or cut off"
            )

    def _reopen(self) -> None:
        if not self._is_fresh:
            self.container.close()
            self._open()
        self._is_fresh = False

    def _seek(self, pts: int) -> tuple[TimedFrame, Iterator[TimedFrame]] | None:
        """A key frame shown at or before ``pts`` and the frames after it, or None."""
        self._is_fresh = False
        back_off = 0
        while pts - back_off > (self.stream.start_time or 0):
            log_before = replace(self.log)
            try:
                self.container.seek(min(pts - back_off, _MAX_PTS), stream=self.stream)
            except av.FFmpegError:
                return None  # raw streams cannot be sought in
            frames = self._timed(self._from_key_frame(pts))
            first = next(frames, None)
            if first is not None and first.pts <= pts:
                return first, frames
            frames.close()
            vars(self.log).update(vars(log_before))
            back_off = 2 * back_off or max(1, int(1 / self.time_base))
        return None

    def _from_key_frame(self, pts: int) -> Iterator[av.VideoFrame]:
        """What is decoded from here on, less what came before the first key frame.

        Frames that lead an open group refer to frames before it and may be garbage; in order
        of presentation they come before their key frame, so they are dropped with the rest.
        """
        has_begun = False
        for native in self._decode(is_whole=False):
            shown_at = self._stated_pts(native)
            has_begun = has_begun or (native.key_frame and shown_at is not None)
            if has_begun:
                yield native
            elif shown_at is None or shown_at > pts:
                return  # without timestamps nothing says where we are

    def _timed(self, natives: Iterator[av.VideoFrame]) -> Generator[TimedFrame, None, None]:
        """Give each frame the time that it is shown at, by the rule in the class's docstring."""
        next_pts = 0
        last_pts: int | None = None
        for native in progressive(natives, self.time_base):
            pts = self._stated_pts(native)
            if pts is None:
                self.log.num_repaired_times += 1
                pts = next_pts
            elif last_pts is not None and pts <= last_pts:
                self.log.num_repaired_times += 1
                pts = last_pts + 1
            duration = native.duration if native.duration > 0 else self.nominal_duration
            next_pts = pts + duration
            self._last_pts = last_pts = pts
            yield TimedFrame(native, pts, duration)

    def _stated_pts(self, native: av.VideoFrame) -> int | None:
        return native.dts if self.container.format.name in _TIMED_BY_DTS else native.pts

    def _decode(self, *, is_whole: bool) -> Iterator[av.VideoFrame]:
        """Decode packet by packet: one that is damaged is counted and skipped."""
        for packet in self._packets(is_whole=is_whole):
            try:
                natives = self.stream.decode(packet)
            except av.EOFError:
                return
            except av.FFmpegError:
                self._note_damage()
                continue
            for native in natives:
                self.log.num_concealed_frames += native.is_corrupt
                self.log.num_deinterlaced_frames += native.interlaced_frame
                self._check_size(native)
                yield native

    def _check_size(self, native: av.VideoFrame) -> None:
        size = (native.width, native.height)
        if native.width * native.height > MAX_FRAME_PIXELS:
            raise VideoError(
                f"{self.path} has pictures of {native.width}x{native.height}, more than "
                f"{MAX_FRAME_PIXELS:,} pixels; make it smaller"
            )
        if self._size is None:
            self._size = size
        if size != self._size:
            raise VideoError(
                f"{self.path} changes its size from {self._size[0]}x{self._size[1]} to "
                f"{size[0]}x{size[1]} on the way; cut it there and swap the parts"
            )

    def _packets(self, *, is_whole: bool) -> Iterator[Packet[VideoStream] | None]:
        """The stream's packets, then None; reading goes on behind a damaged place."""
        num_packets = 0
        num_failures = num_failures_in_a_row = 0
        while num_failures_in_a_row < _MAX_READ_FAILURES:
            try:
                for packet in self.container.demux(self.stream):
                    if packet.size == 0:
                        break  # PyAV's own end mark: ours follows
                    num_failures_in_a_row = 0
                    num_packets += 1
                    yield packet
                break
            except av.FFmpegError:
                num_failures += 1
                num_failures_in_a_row += 1
                self._note_damage()
        if num_failures_in_a_row > 0:
            self._check_is_there()
        if is_whole and self.container.format.name.startswith("mov,"):
            # The index of an MP4 comes first or not at all, so it tells what a cut-off file lacks.
            num_missing = len(self.stream.index_entries) - num_packets - num_failures
            if num_missing > 0:
                self._note_damage(num_missing)
        yield None

    def _note_damage(self, num_packets: int = 1) -> None:
        self.log.num_damaged_packets += num_packets
        if self.log.damaged_from_seconds is None:
            self.log.damaged_from_seconds = self.seconds(self._last_pts)

    def _check_is_there(self) -> None:
        """Raise LostVideoError if it is the disk that fails, and not what the file holds."""
        try:
            with file_of(self.path).open("rb") as file:
                file.seek(-1, os.SEEK_END)
                file.read(1)
        except OSError as error:
            raise LostVideoError(
                f"{self.path} could not be read beyond {self.seconds(self._last_pts):.3f} s "
                f"({error.strerror}); see that its disk is there"
            ) from error


def packet_duration(path: Footage, pts: int) -> int | None:
    """How long the container says that the frame at ``pts`` lasts, ticks; None if it does not."""
    container = open_container(path)
    try:
        stream = picture_stream(container, path)
        container.seek(pts, stream=stream)
        for packet in container.demux(stream):
            if packet.pts == pts:
                return packet.duration or None
    except av.FFmpegError:
        return None  # raw streams cannot be sought in, and state no durations
    finally:
        container.close()
    return None
