"""Ride: what belongs to a head is smoothed as seen from the head, so that no movement is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp

import numpy as np

from megafs_video.geometry.flow import head_flow, head_motion, head_view
from megafs_video.geometry.similarity import fit_similarity
from megafs_video.geometry.squares import Square
from megafs_video.geometry.templates import mesh_square
from megafs_video.values import FaceMotion, FrameFaces, TrackedFace, UInt8Array

# Small errors of the flow add up. An anchor is drawn back to the face this slowly, so that the
# face's trembling moves it by a hundredth.
_RETURN_SECONDS = 3.0
# Where face and picture part by more than this in one step, in sides, logs and radians, the flow
# lost the face; the largest tremor of a square that was seen in three real clips was 0.04.
_MAX_JUMP = 0.25
# The view of a head stays where it is until the head has moved by so much of it, in sides, logs
# and radians: then it need not be drawn twice in a frame.
_MAX_OFF_CENTRE = 0.02
# A track that is away for longer begins anew.
_MAX_AWAY_SECONDS = 0.5


@dataclass(frozen=True, eq=False)
class RidingFace:
    """A tracked face, and a square that moves exactly as its head does in the picture."""

    tracked: TrackedFace
    square: Square  # its FFHQ square, which trembles, and breathes as the mouth opens
    anchor: Square
    motion: FaceMotion | None = None  # None for the first of a track

    @property
    def track_id(self) -> int:
        """The number it keeps from frame to frame."""
        return self.tracked.track_id


@dataclass(frozen=True, eq=False)
class _Last:
    """A track when it was last seen."""

    seconds: float
    view: UInt8Array  # [V, V], grey
    view_square: Square  # what is seen in it: its anchor, or nearly
    square: Square
    anchor: Square


def ride(items: Iterator[FrameFaces[TrackedFace]]) -> Iterator[FrameFaces[RidingFace]]:
    """Each face with its anchor, which optical flow moves from frame to frame.

    The first of a track has its own square for an anchor. One small view per track is remembered.
    """
    tracks: dict[int, _Last] = {}
    for item in items:
        tracks = item.frame.carried("ride", tracks)
        seconds = item.frame.seconds
        earliest = seconds - _MAX_AWAY_SECONDS
        tracks = {number: last for number, last in tracks.items() if last.seconds >= earliest}
        faces = []
        for tracked in item.faces:
            square = mesh_square(tracked.face.landmarks_xy)
            last = tracks.get(tracked.track_id)
            anchor, motion, view_square = square, None, square
            if last is not None:
                view_square = last.view_square
                view = head_view(item.frame.pixels, view_square)
                motion = head_flow(last.view, last.seconds, view, view_square)
                anchor = _moved(last, motion, seconds, square)
            if last is None or np.abs(anchor.seen_from(view_square)).max() > _MAX_OFF_CENTRE:
                view_square = anchor
                view = head_view(item.frame.pixels, view_square)
            tracks[tracked.track_id] = _Last(seconds, view, view_square, square, anchor)
            faces.append(RidingFace(tracked, square, anchor, motion))
        yield FrameFaces(item.frame, tuple(faces))


def _moved(last: _Last, motion: FaceMotion, seconds: float, square: Square) -> Square:
    """The anchor in a frame that is shown at ``seconds``, where the face is in ``square``."""
    anchor = last.anchor.moved(head_motion(motion))
    jump = square.seen_from(anchor) - last.square.seen_from(last.anchor)
    if np.abs(jump).max() > _MAX_JUMP:
        anchor = last.anchor.moved(fit_similarity(last.square.corners_xy, square.corners_xy))
    pull = 1 - exp((last.seconds - seconds) / _RETURN_SECONDS)
    return Square.placed(pull * square.seen_from(anchor), anchor)
