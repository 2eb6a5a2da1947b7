"""Track: a face keeps its number from frame to frame, and a cut ends every track."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from megafs_video.geometry.boxes import iou
from megafs_video.pipeline.cuts import Change, CutFinder
from megafs_video.values import Face, FloatArray, FrameFaces, TrackedFace

# Two faces may be one if their boxes overlap this much, or their landmarks moved by less than
# this part of the face's side; else a new track begins.
_MIN_IOU = 0.2
_MAX_MOVE = 0.5
_IMPOSSIBLE = 1e6


@dataclass
class _Track:
    """A face and where it was last seen."""

    track_id: int
    face: Face
    missing_frames: int = 0


@dataclass(frozen=True)
class Track:
    """Stage that numbers faces; a number is never used twice in a clip.

    Faces of one frame go to the tracks of the frames before so that overlap and landmarks fit
    best over all of them. A face that is not found for up to ``max_gap_frames`` frames keeps its
    number when it comes back.
    """

    max_gap_frames: int = 10

    def __post_init__(self) -> None:
        if self.max_gap_frames < 0:
            raise ValueError(f"max_gap_frames is {self.max_gap_frames}, wanted 0 or more")

    @property
    def lookahead(self) -> int:
        """It looks back only."""
        return 0

    def __call__(self, items: Iterator[FrameFaces[Face]]) -> Iterator[FrameFaces[TrackedFace]]:
        cuts = CutFinder()
        tracks: list[_Track] = []
        tracks_before_cut: list[_Track] = []
        next_id = 0
        for item in items:
            change = cuts.step(item.frame.pixels)
            if change is Change.CUT:
                tracks_before_cut, tracks = tracks, []
            elif change is Change.RETURN:
                tracks, tracks_before_cut = tracks_before_cut, []
            found = _assign(tracks, item.faces)
            for track in tracks:
                track.missing_frames += 1
            for index, face in enumerate(item.faces):
                if index in found:
                    found[index].face = face
                    found[index].missing_frames = 0
                else:
                    found[index] = _Track(next_id, face)
                    tracks.append(found[index])
                    next_id += 1
            tracks = [track for track in tracks if track.missing_frames <= self.max_gap_frames]
            yield FrameFaces(
                item.frame,
                tuple(
                    TrackedFace(found[index].track_id, face)
                    for index, face in enumerate(item.faces)
                ),
            )


def _assign(tracks: Sequence[_Track], faces: Sequence[Face]) -> dict[int, _Track]:
    """The track of each face that has one, by the face's index."""
    if not tracks or not faces:
        return {}
    costs = _costs([track.face for track in tracks], faces)  # [tracks, faces]
    rows, columns = linear_sum_assignment(costs)
    return {
        int(column): tracks[row]
        for row, column in zip(rows, columns, strict=True)
        if costs[row, column] < _IMPOSSIBLE
    }


def _costs(known: Sequence[Face], faces: Sequence[Face]) -> FloatArray:
    """What it costs to take each face for each known one, [known, faces]."""
    overlaps = iou(
        np.stack([face.box_xyxy for face in known]), np.stack([face.box_xyxy for face in faces])
    )
    moves = np.array([[_move(before, after) for after in faces] for before in known])
    possible = (overlaps >= _MIN_IOU) | (moves <= _MAX_MOVE)
    return np.where(possible, (1.0 - overlaps) + moves, _IMPOSSIBLE)


def _move(before: Face, after: Face) -> float:
    """Mean distance that landmarks moved, as a part of the side of the larger face."""
    side = float(np.sqrt(max(before.area, after.area)))
    if before.landmarks_xy.shape != after.landmarks_xy.shape:
        raise ValueError(
            f"faces have {len(before.landmarks_xy)} and {len(after.landmarks_xy)} landmarks, "
            "wanted as many in every frame"
        )
    return float(np.hypot(*(after.landmarks_xy - before.landmarks_xy).T).mean()) / side
