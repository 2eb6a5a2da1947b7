"""Frames of a clip, one by one, upright and in RGB: the door through which they come in."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from megafs_video.errors import TimeRangeError
from megafs_video.values import Frame
from megafs_video.video.clip import Clip, ReadLog
from megafs_video.video.probe import check_time_range

__all__ = ["ReadLog", "read_frames"]


def read_frames(
    path: Path,
    *,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    log: ReadLog | None = None,
) -> Generator[Frame, None, None]:
    """Frames shown at a time in [start, end), in order, with their own pts untouched.

    A generator: nothing is opened before the first frame is asked for, one frame is held at a
    time, and closing it closes the file. Times are pts · time_base, as ``Frame.seconds`` has
    them. Damaged packets are skipped and counted in ``log``.

    InputNotFoundError, VideoError: as in ``probe``; also if no frame at all can be decoded.
    TimeRangeError: the range is empty, lies outside the clip or between two frames.
    """
    check_time_range(start_seconds, end_seconds)
    with Clip(path, log) as clip:
        first_pts = None if start_seconds is None else clip.first_tick_at(start_seconds)
        end_pts = None if end_seconds is None else clip.first_tick_at(end_seconds)
        num_frames_before = clip.log.num_frames
        clip_end_seconds = 0.0
        for timed in clip.frames(first_pts):
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
