"""Align: the FFHQ crop of each tracked face, its place smoothed over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import atan2, cos, exp, log, sin
from typing import Any

import numpy as np

from megafs_video.geometry.masks import convex_outline
from megafs_video.geometry.similarity import transform_points
from megafs_video.geometry.squares import Square
from megafs_video.geometry.templates import FACE_OVAL, mesh_square
from megafs_video.geometry.warps import warp
from megafs_video.pipeline.window import MAX_LOOKAHEAD_FRAMES, filtered, lookahead_frames
from megafs_video.trajectories.filters import Filter, Sample
from megafs_video.values import (
    AlignedCrop,
    Face,
    FloatArray,
    FrameFaces,
    TrackedFace,
    UInt8Array,
)


@dataclass(frozen=True)
class Align:
    """Stage that cuts an FFHQ-aligned crop out for every face.

    Centre, log of the side, and angle of the crop are smooth over time within one track.
    Without a filter each crop is the raw transform of its own frame, exactly.
    """

    crop_size: int = 256  # pixels
    filter: Filter[Any] | None = None
    max_lookahead_frames: int = MAX_LOOKAHEAD_FRAMES

    def __post_init__(self) -> None:
        if self.crop_size < 1:
            raise ValueError(f"Align.crop_size is {self.crop_size}, wanted at least 1")

    @property
    def lookahead(self) -> int:
        """Most frames that wait while the filter looks ahead."""
        if self.filter is None:
            return 0
        return lookahead_frames([self.filter], self.max_lookahead_frames)

    def __call__(
        self, items: Iterator[FrameFaces[TrackedFace]]
    ) -> Iterator[FrameFaces[AlignedCrop]]:
        if self.filter is None:
            for item in items:
                squares = [mesh_square(tracked.face.landmarks_xy) for tracked in item.faces]
                yield self._cut(item, squares)
            return
        for item, values_of_faces in filtered(
            items, _samples, [self.filter], max_frames=self.max_lookahead_frames
        ):
            yield self._cut(item, [_square(place) for (place,) in values_of_faces])

    def _cut(
        self, item: FrameFaces[TrackedFace], squares: Sequence[Square]
    ) -> FrameFaces[AlignedCrop]:
        crops = tuple(
            cut_crop(
                item.frame.pixels,
                tracked.face.landmarks_xy,
                square,
                crop_size=self.crop_size,
                track_id=tracked.track_id,
                confidence=_confidence(tracked.face),
            )
            for tracked, square in zip(item.faces, squares, strict=True)
        )
        return FrameFaces(item.frame, crops)


def cut_crop(
    pixels: UInt8Array,
    mesh_xy: FloatArray,
    square: Square,
    *,
    crop_size: int,
    track_id: int,
    confidence: float = 1.0,
) -> AlignedCrop:
    """The crop of a square, with the outline of the face [478, 2] in it."""
    frame_to_crop = square.frame_to_crop(crop_size)
    outline_xy = convex_outline(transform_points(mesh_xy[list(FACE_OVAL)], frame_to_crop))
    crop = warp(pixels, frame_to_crop, crop_size)
    return AlignedCrop(track_id, crop, frame_to_crop, outline_xy, confidence)


def _samples(seconds: float, tracked: TrackedFace) -> Sequence[Sample]:
    """Centre, log of the side, cosine and sine of the angle [5]: no angle needs unwinding."""
    square = mesh_square(tracked.face.landmarks_xy)
    place = np.array(
        [square.center_x, square.center_y, log(square.side), cos(square.angle), sin(square.angle)]
    )
    # Moving by its own side, growing e-fold and turning by a radian are about as fast.
    unit = np.array([square.side, square.side, 1.0, 1.0, 1.0])
    return [Sample(seconds, place, _confidence(tracked.face), unit)]


def _square(place: FloatArray) -> Square:
    """The square that was taken apart by ``_samples``."""
    center_x, center_y, log_side, cosine, sine = map(float, place)
    return Square(center_x, center_y, exp(log_side), atan2(sine, cosine))


def _confidence(face: Face) -> float:
    """The detector's, of which nothing is known but that more is better; never quite 0."""
    return min(max(face.score, 0.01), 1.0)
