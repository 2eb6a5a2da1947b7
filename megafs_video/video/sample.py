"""Frames at given times, without reading the rest of the clip."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence

from megafs_video.errors import TimeRangeError
from megafs_video.values import Frame
from megafs_video.video.clip import Clip, TimedFrame
from megafs_video.video.sequence import Footage

# A clip whose first frame is a little late (reordering, a sound track that leads) is shown from
# zero by players; one that starts an hour in, such as a piece of a broadcast, has no second 0.
_LATE_START_SECONDS = 1.0

# Decoding on is cheaper than seeking when the next time is this near.
_DECODE_ON_SECONDS = 1.0


def frames_at(path: Footage, times_seconds: Sequence[float]) -> Generator[Frame, None, None]:
    """For each time, in the given order, the frame that is on screen at that time.

    That is the last frame whose pts · time_base is not after the time (give or take a
    microsecond), on every container: see ``clip.py``. Frames keep their own pts. A time of 0 or
    more before a first frame that is less than a second late gives that first frame.

    InputNotFoundError, VideoError: as in ``probe``. TimeRangeError: a time outside the clip.
    """
    for time_seconds in times_seconds:
        if not math.isfinite(time_seconds):
            raise TimeRangeError(f"{time_seconds} is not a time; give seconds, such as 12.5")
    with Clip(path) as clip:
        screen = _Screen(clip)
        for time_seconds in times_seconds:
            yield clip.upright(screen.at(time_seconds))


class _Screen:
    """What a clip shows: the frame on screen and the one that comes next."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._frames: Iterator[TimedFrame] = iter(())
        self._shown: TimedFrame | None = None
        self._upcoming: TimedFrame | None = None

    def at(self, time_seconds: float) -> TimedFrame:
        """The frame on screen; TimeRangeError if there is none."""
        clip = self._clip
        last_pts = clip.last_tick_at(time_seconds)
        shown = self._shown
        ahead = int(_DECODE_ON_SECONDS / clip.time_base)
        if shown is None or not shown.pts <= last_pts <= shown.pts + ahead:
            self._frames = clip.frames(last_pts)
            shown = next(self._frames)
            self._upcoming = next(self._frames, None)
        while self._upcoming is not None and self._upcoming.pts <= last_pts:
            shown, self._upcoming = self._upcoming, next(self._frames, None)
        self._shown = shown
        start_seconds = clip.seconds(shown.pts)
        if shown.pts > last_pts and (time_seconds < 0 or start_seconds > _LATE_START_SECONDS):
            raise TimeRangeError(
                f"{time_seconds} s lies before {clip.path}, which starts at {start_seconds:.3f} s"
            )
        if self._upcoming is None and last_pts >= shown.pts + shown.duration:
            raise TimeRangeError(
                f"{time_seconds} s lies after {clip.path}, which ends at "
                f"{clip.seconds(shown.pts + shown.duration):.3f} s"
            )
        return shown
