"""Frames of a clip, one by one, upright and in RGB: the door through which they come in."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from itertools import dropwhile, islice
from zlib import crc32

import numpy as np

from megafs_video.errors import ResumeError, TimeRangeError
from megafs_video.values import Frame
from megafs_video.video.clip import Clip, ReadLog, TimedFrame
from megafs_video.video.probe import check_time_range
from megafs_video.video.sequence import Footage

__all__ = ["Place", "ReadLog", "read_frames"]


@dataclass(frozen=True)
class Place:
    """A frame that was read before, and all that is needed to read on from it."""

    frame_index: int  # 0 is the first of the range
    pts: int
    seconds: float  # when it is shown
    checksum: int  # of its pixels
    log: ReadLog  # as it was when the frame was handed out

    @staticmethod
    def of(frame: Frame, frame_index: int, log: ReadLog) -> Place:
        """The place of a frame that ``read_frames`` has just handed out."""
        return Place(frame_index, frame.pts, frame.seconds, _checksum(frame), replace(log))


def read_frames(
    path: Footage,
    *,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    log: ReadLog | None = None,
    place: Place | None = None,
) -> Generator[Frame, None, None]:
    """Frames shown at a time in [start, end), in order, with their own pts untouched.

    A generator: nothing is opened before the first frame is asked for, one frame is held at a
    time, and closing it closes the file. Times are pts · time_base, as ``Frame.seconds`` has
    them. Damaged packets are skipped and counted in ``log``. With a ``place`` of an earlier read
    of the same range, frames are those that followed there, itself the first.

    InputNotFoundError, VideoError: as in ``probe``; also if no frame at all can be decoded.
    TimeRangeError: the range is empty, lies outside the clip or between two frames.
    ResumeError: at ``place`` the clip shows another picture than before.
    """
    check_time_range(start_seconds, end_seconds)
    with Clip(path, log) as clip:
        first_pts = None if start_seconds is None else clip.first_tick_at(start_seconds)
        end_pts = None if end_seconds is None else clip.first_tick_at(end_seconds)
        num_frames_before = clip.log.num_frames
        clip_end_seconds = 0.0
        for timed in clip.frames(first_pts) if place is None else _from(clip, place, first_pts):
            clip_end_seconds = clip.seconds(timed.pts + timed.duration)
            if end_pts is not None and timed.pts >= end_pts:
                break
            if first_pts is None or timed.pts >= first_pts:
                clip.log.num_frames += 1
                yield clip.upright(timed)
        if clip.log.num_frames == num_frames_before:
            start = "its start" if start_seconds is None else f"{start_seconds} s"
            end = "its end" if end_seconds is None else f"{end_seconds} s"
            raise TimeRangeError(
                f"no frame of {path} is shown from {start} to {end}; "
                f"{_where(start_seconds, clip_end_seconds)}"
            )


def _where(start_seconds: float | None, clip_end_seconds: float) -> str:
    if start_seconds is not None and start_seconds >= clip_end_seconds:
        return f"the clip ends at {clip_end_seconds:.3f} s: start before that"
    return "choose a longer range within the clip"


def _from(clip: Clip, place: Place, first_pts: int | None) -> Iterator[TimedFrame]:
    """The frames from a place on.

    A seek is quick, and right if nothing had to be mended so far and it leads to the very picture
    that was there. If it does not (key frames that lean on others), all are decoded again.
    """
    later: Iterator[TimedFrame] = iter(())
    if place.log == ReadLog(place.log.num_frames):
        later = dropwhile(lambda timed: timed.pts < place.pts, clip.frames(place.pts))
    first = next(later, None)
    if not _is_at(clip, first, place):
        in_range = (
            timed for timed in clip.frames(first_pts) if first_pts is None or timed.pts >= first_pts
        )
        later = islice(in_range, place.frame_index, None)
        first = next(later, None)
        if not _is_at(clip, first, place):
            raise ResumeError(
                f"{clip.path} shows another picture at {place.seconds:.3f} s than when "
                "the run began; give the same clip, or --no-resume to begin anew"
            )
    assert first is not None
    # Whatever was met on the way was met before.
    vars(clip.log).update(vars(place.log) | {"num_frames": place.log.num_frames - 1})
    yield first
    yield from later


def _is_at(clip: Clip, timed: TimedFrame | None, place: Place) -> bool:
    if timed is None or timed.pts != place.pts:
        return False
    return _checksum(clip.upright(timed)) == place.checksum


def _checksum(frame: Frame) -> int:
    return crc32(np.ascontiguousarray(frame.pixels).data)
