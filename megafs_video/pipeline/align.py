"""Align: the FFHQ crop of each tracked face, its place smoothed over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from megafs_video.geometry.masks import convex_outline
from megafs_video.geometry.similarity import invert, transform_points
from megafs_video.geometry.squares import Square
from megafs_video.geometry.templates import FACE_OVAL, mesh_square
from megafs_video.geometry.warps import warp
from megafs_video.pipeline.profile import Profile
from megafs_video.pipeline.ride import RidingFace, ride
from megafs_video.pipeline.window import MAX_LOOKAHEAD_FRAMES, filtered, lookahead_frames
from megafs_video.trajectories.filters import Filter, Sample
from megafs_video.values import (
    AlignedCrop,
    Face,
    FaceMotion,
    FloatArray,
    FrameFaces,
    TrackedFace,
    UInt8Array,
)


@dataclass(frozen=True)
class Align:
    """Stage that cuts an FFHQ-aligned crop out for every face.

    Centre, log of the side, and angle of the crop, and the outline of the face, are smooth over
    time within one track, as seen from the head: a nod is followed however quick it is. Without
    a profile they are those of each frame alone, exactly.
    """

    crop_size: int = 256  # pixels
    profile: Profile | None = None
    max_lookahead_frames: int = MAX_LOOKAHEAD_FRAMES

    def __post_init__(self) -> None:
        if self.crop_size < 1:
            raise ValueError(f"Align.crop_size is {self.crop_size}, wanted at least 1")

    @property
    def lookahead(self) -> int:
        """Most frames that wait while the filter looks ahead."""
        if self.profile is None:
            return 0
        return lookahead_frames(_filters(self.profile), self.max_lookahead_frames)

    def __call__(
        self, items: Iterator[FrameFaces[TrackedFace]]
    ) -> Iterator[FrameFaces[AlignedCrop]]:
        if self.profile is None:
            for item in items:
                meshes_xy = [tracked.face.landmarks_xy for tracked in item.faces]
                yield self._cut(item, [(mesh_square(xy), oval(xy), None) for xy in meshes_xy])
            return
        for riding, values_of_faces in filtered(
            ride(items),
            self._samples,
            _filters(self.profile),
            name="align",
            max_frames=self.max_lookahead_frames,
        ):
            places = [
                (*self._place(face.anchor, *values), face.motion)
                for face, values in zip(riding.faces, values_of_faces, strict=True)
            ]
            faces = tuple(face.tracked for face in riding.faces)
            yield self._cut(FrameFaces(riding.frame, faces), places)

    def _samples(self, seconds: float, riding: RidingFace) -> Sequence[Sample]:
        """Where the crop [4] and the oval [2 K] are, as seen from the anchor."""
        oval_xy = oval(riding.tracked.face.landmarks_xy)
        seen_xy = transform_points(oval_xy, riding.anchor.frame_to_crop(self.crop_size))
        confidence = _confidence(riding.tracked.face)
        return [
            Sample(seconds, riding.square.seen_from(riding.anchor), confidence),
            Sample(seconds, seen_xy.ravel(), confidence, unit=self.crop_size),
        ]

    def _place(
        self, anchor: Square, place: FloatArray, seen_oval: FloatArray
    ) -> tuple[Square, FloatArray]:
        """The crop and the oval [K, 2] in the frame, of values taken by ``_samples``."""
        anchor_to_frame = invert(anchor.frame_to_crop(self.crop_size))
        oval_xy = transform_points(seen_oval.reshape(-1, 2), anchor_to_frame)
        return Square.placed(place, anchor), oval_xy

    def _cut(
        self,
        item: FrameFaces[TrackedFace],
        places: Sequence[tuple[Square, FloatArray, FaceMotion | None]],
    ) -> FrameFaces[AlignedCrop]:
        crops = tuple(
            cut_crop(item.frame.pixels, tracked, *place, crop_size=self.crop_size)
            for tracked, place in zip(item.faces, places, strict=True)
        )
        return FrameFaces(item.frame, crops)


def cut_crop(
    pixels: UInt8Array,
    tracked: TrackedFace,
    square: Square,
    oval_xy: FloatArray,
    motion: FaceMotion | None = None,
    *,
    crop_size: int,
) -> AlignedCrop:
    """The crop of a square, with the outline [K, 2] of the face in it."""
    frame_to_crop = square.frame_to_crop(crop_size)
    crop = warp(pixels, frame_to_crop, crop_size)
    outline_xy = convex_outline(transform_points(oval_xy, frame_to_crop))
    return AlignedCrop(
        tracked.track_id,
        crop,
        frame_to_crop,
        outline_xy,
        _confidence(tracked.face),
        tracked.source_index,
        tracked.opacity,
        motion,
    )


def oval(mesh_xy: FloatArray) -> FloatArray:
    """The points [K, 2] of a mesh [478, 2] that run around the face."""
    return mesh_xy[list(FACE_OVAL)]


def _filters(profile: Profile) -> tuple[Filter[Any], ...]:
    return (profile.place, profile.outline)


def _confidence(face: Face) -> float:
    """The detector's, of which nothing is known but that more is better; never quite 0."""
    return min(max(face.score, 0.01), 1.0)
