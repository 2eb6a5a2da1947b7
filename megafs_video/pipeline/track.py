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
_MOVE_PER_MISSING_SECOND = 7.5
_IMPOSSIBLE = 1e6
# Cosines of ArcFace (figures in ``select.py``): frames of one person in one clip are above 0.5,
# and strangers below 0.17. A face that comes back and is less alike than this is somebody else.
_MIN_ALIKE = 0.5
_MAX_STRANGE = 0.17
# What a difference of identity costs beside a move by a whole face: people who cross are near
# each other's places and far from each other's looks.
_IDENTITY_WEIGHT = 2.0
# After so many looks it is known who a face is, and a face that is alone is only looked at once
# in so many frames. An identity is the mean of about the last 50 looks.
_SETTLING_FRAMES = 10
_IDENTITY_FRAMES = 50
# A face that was always in sight and is now a stranger in so many looks running is one: a cut or
# a dissolve went unseen.
_STRANGE_LOOKS = 3

MAX_GAP_SECONDS = 0.3
"""How long a face may be missed and still be the same track, unless somebody says otherwise."""


@dataclass
class TrackState:
    """A face, where it was last seen, where it was going, and who it is."""

    track_id: int
    face: Face
    seconds: float
    identity: FloatArray | None  # [D], mean of vectors of length 1; None if nobody tells
    velocity_xy: FloatArray = field(default_factory=lambda: np.zeros(2))  # pixels a second
    num_seen: int = 1  # frames
    num_looks: int = 1  # frames in which it was asked who it is
    strange_looks: int = 0  # running, up to now
    is_visible: bool = True  # in the last frame

    @property
    def is_settled(self) -> bool:
        """Whether it needs no look at it to be known who it is."""
        is_due = self.num_seen % _SETTLING_FRAMES == 0 or self.strange_looks > 0
        return self.is_visible and self.num_looks >= _SETTLING_FRAMES and not is_due

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
        self.face, self.seconds, self.is_visible = face, seconds, True
        self.num_seen += 1
        if self.identity is None or identity is None:
            return
        self.num_looks += 1
        # What looks like somebody else tells nothing of who this is.
        is_strange = float(self.identity @ identity) <= _MAX_STRANGE * np.linalg.norm(self.identity)
        self.strange_looks = self.strange_looks + 1 if is_strange else 0
        if not is_strange:
            share = 1 / min(self.num_looks, _IDENTITY_FRAMES)
            self.identity = (1 - share) * self.identity + share * identity

    def tracked(self) -> TrackedFace:
        """The face as it was seen last."""
        identity = self.identity
        return TrackedFace(
            self.track_id,
            self.face,
            None if identity is None else identity / np.linalg.norm(identity),
        )


@dataclass
class TrackerState:
    """All that is known of a clip up to a frame."""

    cuts: CutFinder = field(default_factory=CutFinder)
    tracks: list[TrackState] = field(default_factory=list)
    tracks_before_cut: list[TrackState] = field(default_factory=list)
    num_tracks: int = 0  # so far
    num_shots: int = 1
    shot_index: int = 0
    shot_before_cut: int = 0

    def change(self, change: Change) -> None:
        """Begin a shot, or go back to the one before a flash."""
        if change is Change.CUT:
            self.tracks_before_cut, self.tracks = self.tracks, []
            self.shot_before_cut, self.shot_index = self.shot_index, self.num_shots
            self.num_shots += 1
        elif change is Change.RETURN:
            self.tracks, self.tracks_before_cut = self.tracks_before_cut, []
            self.shot_index = self.shot_before_cut

    def step(
        self,
        faces: Sequence[Face],
        identities: Sequence[FloatArray | None],
        seconds: float,
        max_gap_seconds: float,
    ) -> tuple[TrackedFace, ...]:
        """The faces of the next frame of the shot, with the numbers of their tracks."""
        self.tracks = [
            track
            for track in self.tracks
            if track.is_visible or is_within(seconds - track.seconds, max_gap_seconds)
        ]
        found = _assign(self.tracks, faces, identities, seconds)
        for track in self.tracks:
            track.is_visible = False
        for index, (face, identity) in enumerate(zip(faces, identities, strict=True)):
            if index in found:
                found[index].follow(face, seconds, identity)
            else:
                found[index] = TrackState(self.num_tracks, face, seconds, identity)
                self.tracks.append(found[index])
                self.num_tracks += 1
        return tuple(found[index].tracked() for index in range(len(faces)))


@dataclass(frozen=True)
class Track:
    """Stage that numbers faces and shots; a number is never used twice in a clip.

    Faces of one frame go to the tracks of the frames before so that place, expected by an even
    motion, and identity fit best over all of them. A face that comes back ``max_gap_seconds``
    after it was last seen, or sooner, keeps its number, unless it is somebody else's. Without a
    recogniser place alone decides.
    """

    max_gap_seconds: float = MAX_GAP_SECONDS
    recognizer: Recognizer | None = None

    def __post_init__(self) -> None:
        if self.max_gap_seconds < 0:
            raise ValueError(f"max_gap_seconds is {self.max_gap_seconds}, wanted 0 or more")

    @property
    def lookahead(self) -> int:
        """It looks back only."""
        return 0

    def __call__(self, items: Iterator[FrameFaces[Face]]) -> Iterator[FrameFaces[TrackedFace]]:
        state = TrackerState()
        for item in items:
            state = item.frame.carried("track", state)
            state.change(state.cuts.step(item.frame.pixels))
            identities = self._identities(item, state.tracks)
            faces = state.step(item.faces, identities, item.frame.seconds, self.max_gap_seconds)
            yield FrameFaces(item.frame, faces, state.shot_index)

    def _identities(
        self, item: FrameFaces[Face], tracks: Sequence[TrackState]
    ) -> list[FloatArray | None]:
        """Who each face is; None where that is not asked: it takes as long as finding faces."""
        is_alone = len(item.faces) == len(tracks) == 1 and tracks[0].is_settled
        if self.recognizer is None or is_alone:
            return [None] * len(item.faces)
        return [self.recognizer.embed(item.frame.pixels, face) for face in item.faces]


def is_within(elapsed_seconds: float, max_gap_seconds: float) -> bool:
    """Whether a gap is no longer than allowed, give or take how times are rounded."""
    return elapsed_seconds <= max_gap_seconds + 1e-6


def _assign(
    tracks: Sequence[TrackState],
    faces: Sequence[Face],
    identities: Sequence[FloatArray | None],
    seconds: float,
) -> dict[int, TrackState]:
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
    tracks: Sequence[TrackState],
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
        missing_seconds = np.array(
            [[0.0 if track.is_visible else seconds - track.seconds] for track in tracks]
        )  # [tracks, 1]
        reach = _MAX_MOVE + _MOVE_PER_MISSING_SECOND * missing_seconds
        possible |= (cosines >= _MIN_ALIKE) & (moves <= reach)
        # A face that was never out of sight is who it was, however it looks right now.
        is_sure = [[track.is_visible and track.strange_looks < _STRANGE_LOOKS] for track in tracks]
        possible &= (cosines > _MAX_STRANGE) | np.array(is_sure)
        costs += _IDENTITY_WEIGHT * (1.0 - cosines)
    return np.where(possible, costs, _IMPOSSIBLE)


def _cosines(
    tracks: Sequence[TrackState], identities: Sequence[FloatArray | None]
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
