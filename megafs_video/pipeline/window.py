"""A centred window of time over each track, while frames stream by."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from megafs_video.values import FrameFaces


class Tracked(Protocol):
    """A face in any state that has a track."""

    @property
    def track_id(self) -> int:
        """The number it keeps from frame to frame."""
        ...


A = TypeVar("A", bound=Tracked)
V = TypeVar("V")


@dataclass(frozen=True)
class Moment(Generic[V]):
    """What one track was in one frame."""

    frame_index: int
    seconds: float
    value: V


Window = Sequence[Moment[V]]
"""Moments of one track in order of time, at least the one at the centre."""


def centred_windows(
    items: Iterator[FrameFaces[A]],
    value_of: Callable[[A], V],
    *,
    radius_seconds: float,
    max_frames: int,
) -> Iterator[tuple[FrameFaces[A], tuple[Window[V], ...]]]:
    """Each item, with the window of each of its faces.

    A window holds the moments of the face's track within ``radius_seconds`` and at most
    ``max_frames`` (at least 1) frames to each side. It is cut off at the ends of the track and
    of the clip. At most ``max_frames`` items are read ahead.
    """
    waiting: deque[FrameFaces[A]] = deque()
    tracks: dict[int, deque[Moment[V]]] = {}
    first_index = 0  # of the frame that waits longest

    def released() -> tuple[FrameFaces[A], tuple[Window[V], ...]]:
        nonlocal first_index
        item = waiting.popleft()
        windows = tuple(
            [
                moment
                for moment in tracks[face.track_id]
                if abs(moment.frame_index - first_index) <= max_frames
                and abs(moment.seconds - item.frame.seconds) <= radius_seconds
            ]
            for face in item.faces
        )
        first_index += 1
        _forget(tracks, before_index=first_index - max_frames)
        return item, windows

    for frame_index, item in enumerate(items):
        waiting.append(item)
        seconds = item.frame.seconds
        for face in item.faces:
            moments = tracks.setdefault(face.track_id, deque())
            moments.append(Moment(frame_index, seconds, value_of(face)))
        while len(waiting) > max_frames or seconds - waiting[0].frame.seconds > radius_seconds:
            yield released()
    while waiting:
        yield released()


def _forget(tracks: dict[int, deque[Moment[V]]], before_index: int) -> None:
    """Drop what no coming window reaches, and tracks of which nothing is left."""
    for track_id, moments in list(tracks.items()):
        while moments and moments[0].frame_index < before_index:
            moments.popleft()
        if not moments:
            del tracks[track_id]
