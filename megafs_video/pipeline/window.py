"""Filters over time along each track, while frames stream by."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from megafs_video.trajectories.filters import Filter, Sample, Trajectory
from megafs_video.values import FloatArray, FrameFaces

MAX_LOOKAHEAD_FRAMES = 8
"""A bound for memory, whatever the frame rate: frames wait while a filter looks ahead."""


class Tracked(Protocol):
    """A face in any state that has a track."""

    @property
    def track_id(self) -> int:
        """The number it keeps from frame to frame."""
        ...


A = TypeVar("A", bound=Tracked)

Values = tuple[FloatArray, ...]
"""Smooth values of one face, one per filter."""


@dataclass
class _Track:
    """One track on its way through each filter."""

    trajectories: Sequence[Trajectory[Any]]
    last_index: int  # of the frame that showed it last


@dataclass(frozen=True)
class _Memory:
    """What of the tracks is needed at a checkpoint."""

    frame_index: int
    last_indices: dict[int, int]  # by track
    histories: dict[int, list[tuple[Any, ...]]]  # by track, one per filter


def lookahead_frames(filters: Sequence[Filter[Any]], max_frames: int) -> int:
    """Most frames that wait in ``filtered``: none if every filter is causal."""
    return max_frames if any(each.lookahead_seconds > 0 for each in filters) else 0


def filtered(
    items: Iterator[FrameFaces[A]],
    samples_of: Callable[[float, A], Sequence[Sample]],
    filters: Sequence[Filter[Any]],
    *,
    name: str,
    max_frames: int = MAX_LOOKAHEAD_FRAMES,
) -> Iterator[tuple[FrameFaces[A], tuple[Values, ...]]]:
    """Each item, with the smooth values of each of its faces.

    ``samples_of`` says what was measured of a face that is shown at a time (seconds), one
    sample per filter. A track begins and ends with its faces: nothing is padded, and nothing of
    another track counts. Items wait for the filter that looks ahead the most, but at most
    ``max_frames`` (at least 1) of them; a track that was away for longer begins anew. ``name``
    is the stage's own, for checkpoints.
    """
    lookahead_seconds = max(each.lookahead_seconds for each in filters)
    waiting: deque[FrameFaces[A]] = deque()
    tracks: dict[int, _Track] = {}

    def released() -> tuple[FrameFaces[A], tuple[Values, ...]]:
        item = waiting.popleft()
        return item, tuple(
            tuple(trajectory.pop() for trajectory in tracks[face.track_id].trajectories)
            for face in item.faces
        )

    frame_index = -1
    for item in items:
        if item.frame.checkpoint is not None:
            memory = _memory(frame_index, tracks)
            if (found := item.frame.carried(name, memory)) is not memory:
                frame_index, tracks = found.frame_index, _restored(found, filters, max_frames)
        frame_index += 1
        for track_id, track in list(tracks.items()):
            if frame_index - track.last_index > max_frames + 1:
                del tracks[track_id]
        waiting.append(item)
        seconds = item.frame.seconds
        for face in item.faces:
            if face.track_id not in tracks:
                trajectories = [Trajectory(each, max_frames) for each in filters]
                tracks[face.track_id] = _Track(trajectories, frame_index)
            track = tracks[face.track_id]
            track.last_index = frame_index
            samples = samples_of(seconds, face)
            for trajectory, sample in zip(track.trajectories, samples, strict=True):
                trajectory.push(sample)
        while waiting and (
            len(waiting) > max_frames or seconds - waiting[0].frame.seconds >= lookahead_seconds
        ):
            yield released()
    while waiting:
        yield released()


def _memory(frame_index: int, tracks: Mapping[int, _Track]) -> _Memory:
    return _Memory(
        frame_index,
        {track_id: track.last_index for track_id, track in tracks.items()},
        {
            track_id: [trajectory.history() for trajectory in track.trajectories]
            for track_id, track in tracks.items()
        },
    )


def _restored(
    memory: _Memory, filters: Sequence[Filter[Any]], max_frames: int
) -> dict[int, _Track]:
    return {
        track_id: _Track(
            [
                Trajectory(each, max_frames, history)
                for each, history in zip(filters, memory.histories[track_id], strict=True)
            ],
            last_index,
        )
        for track_id, last_index in memory.last_indices.items()
    }
