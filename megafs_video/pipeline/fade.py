"""Fade: a swap that comes or goes within a shot does so gradually."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from megafs_video.values import FrameFaces, TrackedFace

FADE_SECONDS = 0.15
"""How long a swap takes to come or to go: about as long as a blink."""

MAX_FADE_FRAMES = 16
"""A bound for memory, whatever the frame rate: frames wait for what may go soon."""


@dataclass
class _Presence:
    """Which faces a frame has."""

    shot_index: int
    seconds: float
    track_ids: frozenset[int]


@dataclass(frozen=True)
class Fade:
    """Stage that says how much of each swap is seen.

    Its opacity in a frame is the time to the nearest frame of the shot that is without it, before
    or after, as a part of ``fade_seconds``, and at most 1: it grows and shrinks evenly, and comes
    to 0 where the swap ends. Frames of other shots do not count. So a swap is whole from the first
    frame of a shot to the last, if it is in all of them, and a glimpse of one is hardly seen.
    """

    fade_seconds: float = FADE_SECONDS

    def __post_init__(self) -> None:
        if self.fade_seconds <= 0:
            raise ValueError(f"fade_seconds is {self.fade_seconds}, wanted more than 0")

    @property
    def lookahead(self) -> int:
        """Most frames that wait."""
        return MAX_FADE_FRAMES

    def __call__(
        self, items: Iterator[FrameFaces[TrackedFace]]
    ) -> Iterator[FrameFaces[TrackedFace]]:
        near: deque[_Presence] = deque()
        waiting: deque[FrameFaces[TrackedFace]] = deque()
        for item in items:
            near = item.frame.carried("fade", near)
            waiting.append(item)
            seconds = item.frame.seconds
            near.append(
                _Presence(item.shot_index, seconds, frozenset(face.track_id for face in item.faces))
            )
            while waiting and (
                len(waiting) > MAX_FADE_FRAMES
                or seconds - waiting[0].frame.seconds >= self.fade_seconds
            ):
                yield self._faded(waiting.popleft(), near)
            while near and seconds - near[0].seconds > 2 * self.fade_seconds:
                near.popleft()
        while waiting:
            yield self._faded(waiting.popleft(), near)

    def _faded(
        self, item: FrameFaces[TrackedFace], near: Sequence[_Presence]
    ) -> FrameFaces[TrackedFace]:
        """The frame with the opacity of each of its faces."""
        in_shot = [each for each in near if each.shot_index == item.shot_index]
        faces = []
        for tracked in item.faces:
            away_seconds = [
                abs(each.seconds - item.frame.seconds)
                for each in in_shot
                if tracked.track_id not in each.track_ids
            ]
            opacity = min([self.fade_seconds, *away_seconds]) / self.fade_seconds
            faces.append(replace(tracked, opacity=opacity))
        return replace(item, faces=tuple(faces))
