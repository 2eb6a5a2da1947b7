"""Bridge: a face that is missed for a moment is put back where it must have been."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from megafs_video.faces.contract import Recognizer
from megafs_video.geometry.templates import mesh_yaw_degrees
from megafs_video.pipeline.select import MIN_COSINE
from megafs_video.pipeline.track import MAX_GAP_SECONDS, is_within
from megafs_video.values import Face, Frame, FrameFaces, TrackedFace

# A head that turns further than the first is doubtful until it is turned less than the second, so
# that one which stays about there does not flicker. Of 382 photographs such as the networks were
# trained on, two are turned further than the first: they know next to nothing of profiles.
_MAX_YAW_DEGREES = 55.0
_CLEAR_YAW_DEGREES = 45.0
# Hardly anything was seen of a face between two others: filters that ask believe it little.
_BRIDGED_SCORE = 0.1

MAX_BRIDGE_FRAMES = 64
"""A bound for memory, whatever the frame rate: frames wait while a face is missing."""


@dataclass
class _Track:
    """How a face was seen lately."""

    seconds: float  # when it was seen last
    is_doubtful: bool  # then
    clear: TrackedFace | None  # as it was last seen well
    clear_seconds: float
    num_frames: int = 0  # since then

    def is_open(self, seconds: float, max_gap_seconds: float) -> bool:
        """Whether a gap that ends at a time would be bridged."""
        return (
            self.clear is not None
            and 0 < self.num_frames <= MAX_BRIDGE_FRAMES
            and is_within(seconds - self.clear_seconds, max_gap_seconds)
        )


@dataclass
class _Waiting:
    """A frame, the faces that it will have, and those of which that is still open."""

    item: FrameFaces[TrackedFace]
    shown: dict[int, TrackedFace] = field(default_factory=dict)  # by the number of the track
    doubtful: dict[int, TrackedFace] = field(default_factory=dict)

    def decided(self) -> FrameFaces[TrackedFace]:
        """The frame with the faces that it has now."""
        return replace(self.item, faces=tuple(self.shown.values()))


@dataclass(frozen=True)
class Bridge:
    """Stage that closes short gaps of a track and leaves the faces of long ones out.

    - A gap lasts from the last frame in which a face is seen well to the next one. It is not seen
      well where the detector misses it or is too little sure of it (below 0.5 for SCRFD, 0.6 for
      YuNet), nor where the head is turned by more than 55 degrees, until that is less than 45.
    - A gap of ``max_gap_seconds`` or less is bridged. A face that was missed is put on the
      straight way, by the frames' times, between the two sightings, if by its looks the person
      is there. If not, somebody or something hides the face, and the frame stays as it is. A face
      that was turned is taken as it was seen.
    - In a longer gap every frame stays as it is, and so it does before a first clear sighting and
      behind a last one.

    Frames wait only while a gap is open, and at most ``MAX_BRIDGE_FRAMES`` of them. Without a
    recogniser whoever was missed is taken to be there.
    """

    max_gap_seconds: float = MAX_GAP_SECONDS
    recognizer: Recognizer | None = None

    def __post_init__(self) -> None:
        if self.max_gap_seconds < 0:
            raise ValueError(f"max_gap_seconds is {self.max_gap_seconds}, wanted 0 or more")

    @property
    def lookahead(self) -> int:
        """Most frames that wait for a face to come back."""
        return MAX_BRIDGE_FRAMES if self.max_gap_seconds > 0 else 0

    def __call__(
        self, items: Iterator[FrameFaces[TrackedFace]]
    ) -> Iterator[FrameFaces[TrackedFace]]:
        waiting: deque[_Waiting] = deque()
        tracks: dict[int, _Track] = {}
        for item in items:
            tracks = item.frame.carried("bridge", tracks)
            seconds = item.frame.seconds
            newest = _Waiting(item)
            for track in tracks.values():
                track.num_frames += 1
            for tracked in item.faces:
                track_id = tracked.track_id
                track = tracks.setdefault(track_id, _Track(seconds, False, None, seconds))
                track.seconds = seconds
                track.is_doubtful = _is_doubtful(tracked.face, track.is_doubtful)
                if track.is_doubtful:
                    newest.doubtful[track_id] = tracked
                    continue
                newest.shown[track_id] = tracked
                if track.is_open(seconds, self.max_gap_seconds):
                    self._close(waiting, track, tracked)
                track.clear, track.clear_seconds, track.num_frames = tracked, seconds, 0
            waiting.append(newest)
            tracks = {
                track_id: track
                for track_id, track in tracks.items()
                if is_within(seconds - track.seconds, self.max_gap_seconds)
            }
            open_since_seconds = [
                track.clear_seconds
                for track in tracks.values()
                if track.is_open(seconds, self.max_gap_seconds)
            ]
            first_seconds = min(open_since_seconds, default=seconds)
            while waiting and waiting[0].item.frame.seconds <= first_seconds:
                yield waiting.popleft().decided()
        while waiting:
            yield waiting.popleft().decided()

    def _close(self, waiting: Sequence[_Waiting], track: _Track, now: TrackedFace) -> None:
        """Show a face that is seen well again in the frames since it last was."""
        assert track.clear is not None
        before = track.clear.face
        for each in waiting:
            frame = each.item.frame
            if frame.seconds <= track.clear_seconds or now.track_id in each.shown:
                continue
            if now.track_id in each.doubtful:
                each.shown[now.track_id] = each.doubtful[now.track_id]
                continue
            share = (frame.seconds - track.clear_seconds) / (track.seconds - track.clear_seconds)
            face = between(before, now.face, share)
            if self._is_there(frame, face, now):
                each.shown[now.track_id] = replace(now, face=face)

    def _is_there(self, frame: Frame, face: Face, who: TrackedFace) -> bool:
        """Whether a face of the person is seen where it should be, and nothing before it."""
        if self.recognizer is None or who.identity is None:
            return True
        return float(self.recognizer.embed(frame.pixels, face) @ who.identity) >= MIN_COSINE


def between(before: Face, after: Face, share: float) -> Face:
    """The face that has gone a share (0 to 1) of the straight way from one to another."""
    return Face(
        (1 - share) * before.box_xyxy + share * after.box_xyxy,
        (1 - share) * before.landmarks_xy + share * after.landmarks_xy,
        _BRIDGED_SCORE,
    )


def _is_doubtful(face: Face, was_doubtful: bool) -> bool:
    limit_degrees = _CLEAR_YAW_DEGREES if was_doubtful else _MAX_YAW_DEGREES
    return abs(mesh_yaw_degrees(face.landmarks_xy)) > limit_degrees
