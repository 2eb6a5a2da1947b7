"""Made shots: pictures with a pattern of their own, and faces that stand in them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from megafs_video.geometry.squares import Square
from megafs_video.values import Face, Frame, FrameFaces, TrackedFace, UInt8Array
from tests.faces.fakes import face_in

HEIGHT, WIDTH = 120, 160
TIME_BASE = Fraction(1, 1000)
FRAME_PTS = 33  # milliseconds between two frames


def scene(seed: int) -> UInt8Array:
    """A picture of large soft blocks; two seeds have nothing in common."""
    blocks = np.random.default_rng(seed).integers(40, 200, (6, 8, 3), dtype=np.uint8)
    return blocks.repeat(HEIGHT // 6, axis=0).repeat(WIDTH // 8, axis=1)


def frame_at(index: int, pixels: UInt8Array | None = None, *, pts: int | None = None) -> Frame:
    """The frame of that number, of scene 0 unless pixels are given."""
    shown = scene(0) if pixels is None else pixels
    return Frame(shown, index * FRAME_PTS if pts is None else pts, TIME_BASE)


def face_at(x: float, y: float = 60.0, *, side: float = 60.0, angle: float = 0.0) -> Face:
    """A face whose FFHQ square has its centre there."""
    return face_in(Square(x, y, side, angle))


def shot(
    places: Sequence[Sequence[float]], pixels: UInt8Array | None = None
) -> list[FrameFaces[Face]]:
    """One frame per entry, with a face at each x of it."""
    return [
        FrameFaces(frame_at(index, pixels), tuple(face_at(x) for x in xs))
        for index, xs in enumerate(places)
    ]


def tracked(index: int, *ids_and_faces: tuple[int, Face]) -> FrameFaces[TrackedFace]:
    """A frame with faces that have their numbers already."""
    return FrameFaces(
        frame_at(index), tuple(TrackedFace(number, face) for number, face in ids_and_faces)
    )


def ids(items: Sequence[FrameFaces[TrackedFace]]) -> list[list[int]]:
    """The tracks of each frame."""
    return [[face.track_id for face in item.faces] for item in items]
