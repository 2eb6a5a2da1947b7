"""Steady: each point of a swapped face keeps its colour as it moves with the target's face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, exp

import numpy as np

from megafs_video.faces.libraries import opencv
from megafs_video.geometry.flow import grid_xy, quick_flow, unexplained
from megafs_video.geometry.similarity import compose, invert, resize, scale_of
from megafs_video.geometry.warps import grey_warp
from megafs_video.pipeline.profile import Profile
from megafs_video.values import FloatArray, FrameFaces, SwappedCrop, UInt8Array

# Pixels that differ by less from what the flow brings along tremble, and by more have changed: at
# 40 a second row of teeth is seen in a mouth that speaks, at 16 half of the calm is lost.
_TREMOR_LEVELS = 30.0
# Side of the view in which flow and differences are looked at, pixels, and how far it reaches
# beyond what the mask shows, as a part of that: a face moves from frame to frame.
_VIEW_SIZE = 112
_VIEW_MARGIN = 0.06
# A track that is away for longer begins anew.
_MAX_AWAY_SECONDS = 0.5


@dataclass(frozen=True, eq=False)
class _Last:
    """A track when it was last seen."""

    seconds: float
    view: UInt8Array  # [V, V], of the target, grey
    frame_to_view: FloatArray  # [2, 3]
    picture: FloatArray  # [R, R, 3] float32, levels: the same place, generated


@dataclass(frozen=True)
class Steady:
    """Stage that calms skin and hair: the generated picture is averaged along the target's flow.

    A recursive mean of the first order, whose memory is the profile's ``texture_seconds``. It
    has no lag, since what it remembers moves along. Where the flow does not explain the target, or
    the two pictures differ by much (a mouth that opens, a blink), the new picture counts alone.
    Without a profile every item passes through untouched.
    """

    profile: Profile | None

    @property
    def lookahead(self) -> int:
        """It is causal."""
        return 0

    def __call__(
        self, items: Iterator[FrameFaces[SwappedCrop]]
    ) -> Iterator[FrameFaces[SwappedCrop]]:
        if self.profile is None:
            yield from items
            return
        tracks: dict[int, _Last] = {}
        for item in items:
            tracks = item.frame.carried("steady", tracks)
            seconds = item.frame.seconds
            earliest = seconds - _MAX_AWAY_SECONDS
            tracks = {number: last for number, last in tracks.items() if last.seconds >= earliest}
            faces = []
            for face in map(at_frame_scale, item.faces):
                place = _seen_square(face)
                if place is None:
                    faces.append(face)
                    continue
                picture = face.pixels[place].astype(np.float32)  # [R, R, 3]
                crop_to_view = _crop_to_view(face, place)
                frame_to_view = compose(face.frame_to_crop, crop_to_view)
                if face.track_id in tracks:
                    last = tracks[face.track_id]
                    memory = exp((last.seconds - seconds) / self.profile.texture_seconds)
                    picture = _averaged(last, face, frame_to_view, picture, memory)
                view = grey_warp(face.target, crop_to_view, _VIEW_SIZE)
                tracks[face.track_id] = _Last(seconds, view, frame_to_view, picture)
                pixels = face.pixels.copy()
                pixels[place] = np.rint(picture)
                faces.append(replace(face, pixels=pixels))
            yield FrameFaces(item.frame, tuple(faces))


def shown_side(swapped: SwappedCrop) -> int:
    """Side of the whole picture in the frame, pixels."""
    return int(max(1, round(swapped.mask.shape[0] / scale_of(swapped.frame_to_crop))))


def at_frame_scale(swapped: SwappedCrop) -> SwappedCrop:
    """The face no larger than it is in the frame.

    Averaging over areas first: sampling a large picture sparsely would flicker.
    """
    picture, side = swapped.pixels, shown_side(swapped)
    if side >= picture.shape[0]:
        return swapped
    cv2 = opencv()
    # Halves are ten times as fast as other factors.
    while picture.shape[0] >= 2 * side and picture.shape[0] % 2 == 0:
        half = (picture.shape[0] // 2,) * 2
        picture = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)
    picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return replace(swapped, pixels=np.asarray(picture, np.uint8))


def _seen_square(face: SwappedCrop) -> tuple[slice, slice] | None:
    """Rows and columns of the square of the picture [R, R, 3] that the mask shows, and a margin.

    None if it shows nothing.
    """
    rows = np.flatnonzero(face.mask.any(axis=1))
    columns = np.flatnonzero(face.mask.any(axis=0))
    if len(rows) == 0:
        return None
    size = face.pixels.shape[0]
    scale = size / face.mask.shape[0]
    longest = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    side = min(size, ceil(longest * scale * (1 + 2 * _VIEW_MARGIN)))
    top, left = (
        min(max(round((each[0] + each[-1] + 1) / 2 * scale - side / 2), 0), size - side)
        for each in (rows, columns)
    )
    return slice(top, top + side), slice(left, left + side)


def _crop_to_view(face: SwappedCrop, place: tuple[slice, slice]) -> FloatArray:
    """Pixels of the aligned crop to pixels of the view, which shows that part of the picture."""
    rows, columns = place
    to_part = np.array([[1.0, 0.0, -columns.start], [0.0, 1.0, -rows.start]])
    crop_to_part = compose(resize(len(face.target), len(face.pixels)), to_part)
    return compose(crop_to_part, resize(rows.stop - rows.start, _VIEW_SIZE))


def _averaged(
    last: _Last,
    face: SwappedCrop,
    frame_to_view: FloatArray,
    picture: FloatArray,
    memory: float,
) -> FloatArray:
    """The new picture [R, R, 3] float32 with the last one mixed in where it moved along.

    ``memory`` is the share of the last one, 0 to 1, where both agree.
    """
    cv2 = opencv()
    crop_to_last = compose(invert(face.frame_to_crop), last.frame_to_view)
    after = grey_warp(face.target, crop_to_last, _VIEW_SIZE)  # where the last view was
    back = quick_flow(after, last.view)  # [V, V, 2]
    hidden = unexplained(after, last.view, back)
    # Each point of the new view, where it lies in the last one, and where the flow has it from.
    view_to_last = compose(invert(frame_to_view), last.frame_to_view)
    here = cv2.transform(grid_xy(_VIEW_SIZE, _VIEW_SIZE), view_to_last)  # [V, V, 2]
    known = cv2.merge([back, np.float32(1.0) - hidden])
    known = cv2.remap(known, here, None, cv2.INTER_LINEAR, borderValue=(0, 0, 0))  # [V, V, 3]
    there = here + known[..., :2]
    is_inside = cv2.inRange(there, (0, 0), (_VIEW_SIZE - 1,) * 2)  # [V, V], 0 or 255
    share = np.float32(memory / 255) * is_inside * known[..., 2]  # [V, V]

    size, last_size = len(picture), len(last.picture)
    view_to_picture = resize(_VIEW_SIZE, last_size)
    full = {"dsize": (size, size), "interpolation": cv2.INTER_LINEAR}
    places = cv2.resize(cv2.transform(there, view_to_picture), **full)
    moved = cv2.remap(
        last.picture, places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )  # [R, R, 3]
    view_size = (_VIEW_SIZE, _VIEW_SIZE)
    levels = cv2.resize(cv2.absdiff(moved, picture), view_size, interpolation=cv2.INTER_AREA)
    levels = cv2.transform(levels, np.full((1, 3), 1 / 3))  # [V, V]
    share = share * np.exp(-np.square(levels / _TREMOR_LEVELS))
    share = cv2.resize(share, **full)  # [R, R]
    # A cubic may overshoot; uint8 saturates, and what is remembered must not.
    mixed = cv2.blendLinear(moved, picture, share, 1 - share)  # [R, R, 3]
    return np.asarray(np.clip(mixed, 0, 255, out=mixed))
