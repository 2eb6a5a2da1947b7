"""Align: the FFHQ crop of each tracked face, its place smoothed over time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np

from megafs_video.geometry.masks import convex_outline
from megafs_video.geometry.similarity import transform_points
from megafs_video.geometry.squares import Square, turn_between
from megafs_video.geometry.templates import FACE_OVAL, mesh_square
from megafs_video.geometry.warps import warp
from megafs_video.trajectories.kernels import Gaussian, Kernel
from megafs_video.values import AlignedCrop, FloatArray, FrameFaces, TrackedFace, UInt8Array

STEADY = Gaussian(sigma_seconds=1 / 15, radius_seconds=0.17)
"""A bell of two frames at 30 frames a second: a crop may lag behind the head by a few pixels,
since the swap goes back through the same transform, but it must not tremble."""


@dataclass(frozen=True)
class _Moment:
    """The raw place of one track in one frame."""

    frame_index: int
    seconds: float
    square: Square


@dataclass(frozen=True)
class Align:
    """Stage that cuts an FFHQ-aligned crop out for every face.

    Centre, log of the side, and angle of the crop are averaged over a centred window of time
    within one track, cut off at its ends. Without a kernel each crop is the raw transform of
    its own frame, exactly.
    """

    crop_size: int = 256  # pixels
    smoothing: Kernel | None = STEADY
    max_lookahead_frames: int = 8  # a bound for memory: frames wait while the window fills

    def __post_init__(self) -> None:
        if self.crop_size < 1 or self.max_lookahead_frames < 1:
            raise ValueError(
                f"Align.crop_size is {self.crop_size} and max_lookahead_frames "
                f"{self.max_lookahead_frames}, wanted at least 1"
            )

    @property
    def lookahead(self) -> int:
        """Frames it waits for to fill the window."""
        return self.max_lookahead_frames if self.smoothing else 0

    def __call__(
        self, items: Iterator[FrameFaces[TrackedFace]]
    ) -> Iterator[FrameFaces[AlignedCrop]]:
        if self.smoothing is None:
            for item in items:
                squares = [mesh_square(tracked.face.landmarks_xy) for tracked in item.faces]
                yield self._cut(item, squares)
            return
        radius_seconds = self.smoothing.radius_seconds
        waiting: deque[FrameFaces[TrackedFace]] = deque()
        tracks: dict[int, deque[_Moment]] = {}
        first_index = 0  # of the frame that waits longest
        for frame_index, item in enumerate(items):
            waiting.append(item)
            for tracked in item.faces:
                square = mesh_square(tracked.face.landmarks_xy)
                moments = tracks.setdefault(tracked.track_id, deque())
                moments.append(_Moment(frame_index, item.frame.seconds, square))
            while len(waiting) > self.lookahead or (
                item.frame.seconds - waiting[0].frame.seconds > radius_seconds
            ):
                yield self._cut_smoothed(self.smoothing, waiting.popleft(), first_index, tracks)
                first_index += 1
                _forget(tracks, before_index=first_index - self.lookahead)
        while waiting:
            yield self._cut_smoothed(self.smoothing, waiting.popleft(), first_index, tracks)
            first_index += 1

    def _cut_smoothed(
        self,
        kernel: Kernel,
        item: FrameFaces[TrackedFace],
        frame_index: int,
        tracks: dict[int, deque[_Moment]],
    ) -> FrameFaces[AlignedCrop]:
        squares = []
        for tracked in item.faces:
            window = [
                moment
                for moment in tracks[tracked.track_id]
                if abs(moment.frame_index - frame_index) <= self.max_lookahead_frames
            ]
            squares.append(_smooth_square(kernel, window, item.frame.seconds))
        return self._cut(item, squares)

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
            )
            for tracked, square in zip(item.faces, squares, strict=True)
        )
        return FrameFaces(item.frame, crops)


def cut_crop(
    pixels: UInt8Array, mesh_xy: FloatArray, square: Square, *, crop_size: int, track_id: int
) -> AlignedCrop:
    """The crop of a square, with the outline of the face [478, 2] in it."""
    frame_to_crop = square.frame_to_crop(crop_size)
    outline_xy = convex_outline(transform_points(mesh_xy[list(FACE_OVAL)], frame_to_crop))
    return AlignedCrop(track_id, warp(pixels, frame_to_crop, crop_size), frame_to_crop, outline_xy)


def _smooth_square(kernel: Kernel, window: Sequence[_Moment], centre_seconds: float) -> Square:
    """The square at the centre of a window of one track."""
    weights = kernel.weights(np.array([moment.seconds - centre_seconds for moment in window]))
    # Angles are measured from one of the window, so that 359 and 1 degrees average to 0.
    base_angle = window[0].square.angle
    places = np.array(
        [
            [
                moment.square.center_x,
                moment.square.center_y,
                log(moment.square.side),
                turn_between(base_angle, moment.square.angle),
            ]
            for moment in window
        ]
    )  # [K, 4]
    center_x, center_y, log_side, turn = (float(value) for value in weights @ places)
    return Square(center_x, center_y, exp(log_side), base_angle + turn)


def _forget(tracks: dict[int, deque[_Moment]], before_index: int) -> None:
    """Drop what no coming window reaches, and tracks of which nothing is left."""
    for track_id, moments in list(tracks.items()):
        while moments and moments[0].frame_index < before_index:
            moments.popleft()
        if not moments:
            del tracks[track_id]
