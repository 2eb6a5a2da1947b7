"""Track: a person keeps a number from frame to frame, and a cut ends every track."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from megafs_video.faces.contract import Recognizer
from megafs_video.faces.framing import moved
from megafs_video.geometry.boxes import iou
from megafs_video.pipeline.cuts import Change, CutFinder
from megafs_video.values import Face, FloatArray, FrameFaces, TrackedFace

# Two faces may be one if their boxes overlap this much, or their landmarks moved by less than
# this part of the face's side, of where the track is expected; else a new track begins. A face
# that was hidden and looks like the one before is expected further off, the longer it was.
_MIN_IOU = 0.2
_MAX_MOVE = 0.5
_MOVE_PER_MISSING_FRAME = 0.25
_IMPOSSIBLE = 1e6
# Cosines of ArcFace (figures in ``select.py``): frames of one person in one clip are above 0.5,
# and strangers below 0.17. A face that comes back and is less alike than this is somebody else.
_MIN_ALIKE = 0.5
_MAX_STRANGE = 0.17
# What a difference of identity costs beside a move by a whole face: people who cross are near
# each other's places and far from each other's looks.
_IDENTITY_WEIGHT = 2.0
# An identity is the mean of about so many frames, a speed of about two.
_IDENTITY_FRAMES = 10


@dataclass
class _Track:
    """A face, where it was last seen, where it was going, and who it is."""

    track_id: int
    face: Face
    seconds: float
    identity: FloatArray | None  # [D], mean of vectors of length 1; None if nobody tells
    velocity_xy: FloatArray = field(default_factory=lambda: np.zeros(2))  # pixels a second
    num_seen: int = 1
    missing_frames: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether it was in the last frame and it is known well who it is."""
        return self.missing_frames == 0 and self.num_seen >= _IDENTITY_FRAMES

    def expected(self, seconds: float) -> Face:
        """The face where it would be by now if it went on evenly."""
        step_x, step_y = self.velocity_xy * (seconds - self.seconds)
        return moved(self.face, float(step_x), float(step_y))

    def follow(self, face: Face, seconds: float, identity: FloatArray | None) -> None:
        """Take the face for the next one of the track."""
        elapsed = max(seconds - self.seconds, 1e-6)
        velocity_xy = (_middle(face) - _middle(self.face)) / elapsed
        self.velocity_xy = (
            velocity_xy if self.num_seen == 1 else (self.velocity_xy + velocity_xy) / 2
        )
        if self.identity is not None and identity is not None:
            share = 1 / min(self.num_seen + 1, _IDENTITY_FRAMES)
            self.identity = (1 - share) * self.identity + share * identity
        self.face, self.seconds = face, seconds
        self.num_seen += 1
        self.missing_frames = 0


@dataclass
class _Memory:
    """What the stage knows after a frame."""

    cuts: CutFinder = field(default_factory=CutFinder)
    tracks: list[_Track] = field(default_factory=list)
    tracks_before_cut: list[_Track] = field(default_factory=list)
    next_id: int = 0


@dataclass(frozen=True)
class Track:
    """Stage that numbers faces; a number is never used twice in a clip.

    Faces of one frame go to the tracks of the frames before so that place, expected by an even
    motion, and identity fit best over all of them. A face that is not found for up to
    ``max_gap_frames`` frames keeps its number when it comes back, unless it is somebody else's.
    Without a recogniser place alone decides.
    """

    max_gap_frames: int = 10
    recognizer: Recognizer | None = None

    def __post_init__(self) -> None:
        if self.max_gap_frames < 0:
            raise ValueError(f"max_gap_frames is {self.max_gap_frames}, wanted 0 or more")

    @property
    def lookahead(self) -> int:
        """It looks back only."""
        return 0

    def __call__(self, items: Iterator[FrameFaces[Face]]) -> Iterator[FrameFaces[TrackedFace]]:
        known = _Memory()
        for item in items:
            known = item.frame.carried("track", known)
            change = known.cuts.step(item.frame.pixels)
            if change is Change.CUT:
                known.tracks_before_cut, known.tracks = known.tracks, []
            elif change is Change.RETURN:
                known.tracks, known.tracks_before_cut = known.tracks_before_cut, []
            tracks = known.tracks
            seconds = item.frame.seconds
            identities = self._identities(item, tracks)
            found = _assign(tracks, item.faces, identities, seconds)
            for track in tracks:
                track.missing_frames += 1
            for index, (face, identity) in enumerate(zip(item.faces, identities, strict=True)):
                if index in found:
                    found[index].follow(face, seconds, identity)
                else:
                    found[index] = _Track(known.next_id, face, seconds, identity)
                    tracks.append(found[index])
                    known.next_id += 1
            known.tracks = [
                track for track in tracks if track.missing_frames <= self.max_gap_frames
            ]
            yield FrameFaces(
                item.frame,
                tuple(
                    TrackedFace(found[index].track_id, face)
                    for index, face in enumerate(item.faces)
                ),
            )

    def _identities(
        self, item: FrameFaces[Face], tracks: Sequence[_Track]
    ) -> list[FloatArray | None]:
        """Who each face is; None where that is not asked: it takes as long as finding faces."""
        is_alone = len(item.faces) == len(tracks) == 1 and tracks[0].is_settled
        if self.recognizer is None or is_alone:
            return [None] * len(item.faces)
        return [self.recognizer.embed(item.frame.pixels, face) for face in item.faces]


def _assign(
    tracks: Sequence[_Track],
    faces: Sequence[Face],
    identities: Sequence[FloatArray | None],
    seconds: float,
) -> dict[int, _Track]:
    """The track of each face that has one, by the face's index."""
    if not tracks or not faces:
        return {}
    costs = _costs(tracks, faces, identities, seconds)  # [tracks, faces]
    rows, columns = linear_sum_assignment(costs)
    return {
        int(column): tracks[row]
        for row, column in zip(rows, columns, strict=True)
        if costs[row, column] < _IMPOSSIBLE
    }


def _costs(
    tracks: Sequence[_Track],
    faces: Sequence[Face],
    identities: Sequence[FloatArray | None],
    seconds: float,
) -> FloatArray:
    """What it costs to take each face for the next one of each track, [tracks, faces]."""
    known = [track.expected(seconds) for track in tracks]
    overlaps = iou(
        np.stack([face.box_xyxy for face in known]), np.stack([face.box_xyxy for face in faces])
    )
    moves = np.array([[_move(before, after) for after in faces] for before in known])
    possible = (overlaps >= _MIN_IOU) | (moves <= _MAX_MOVE)
    costs = (1.0 - overlaps) + moves
    cosines = _cosines(tracks, identities)
    if cosines is not None:
        missing = np.array([[track.missing_frames] for track in tracks])  # [tracks, 1]
        reach = _MAX_MOVE + _MOVE_PER_MISSING_FRAME * missing
        possible |= (cosines >= _MIN_ALIKE) & (moves <= reach)
        # A face that was never out of sight is who it was, however it looks right now.
        possible &= (cosines > _MAX_STRANGE) | (missing == 0)
        costs += _IDENTITY_WEIGHT * (1.0 - cosines)
    return np.where(possible, costs, _IMPOSSIBLE)


def _cosines(
    tracks: Sequence[_Track], identities: Sequence[FloatArray | None]
) -> FloatArray | None:
    """How alike each track and each face are, [tracks, faces]; None if nobody tells."""
    means = [track.identity for track in tracks if track.identity is not None]
    found = [identity for identity in identities if identity is not None]
    if not means or not found:
        return None
    unit = np.stack([mean / np.linalg.norm(mean) for mean in means])
    return np.asarray(unit @ np.stack(found).T)


def _middle(face: Face) -> FloatArray:
    return (face.box_xyxy[:2] + face.box_xyxy[2:]) / 2


def _move(before: Face, after: Face) -> float:
    """Mean distance that landmarks moved, as a part of the side of the larger face."""
    side = float(np.sqrt(max(before.area, after.area)))
    if before.landmarks_xy.shape != after.landmarks_xy.shape:
        raise ValueError(
            f"faces have {len(before.landmarks_xy)} and {len(after.landmarks_xy)} landmarks, "
            "wanted as many in every frame"
        )
    return float(np.hypot(*(after.landmarks_xy - before.landmarks_xy).T).mean()) / side
