"""Steady: each point of a swapped face keeps its colour as it moves with the target's face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, exp

import numpy as np

from megafs_video.faces.libraries import opencv
from megafs_video.geometry.flow import grid_xy
from megafs_video.geometry.similarity import compose, invert, resize, scale_of
from megafs_video.pipeline.profile import Profile
from megafs_video.values import FaceMotion, FloatArray, FrameFaces, SwappedCrop

# Pixels that differ by less from what the flow brings along tremble, and by more have changed: at
# 40 a second row of teeth is seen in a mouth that speaks, at 16 half of the calm is lost.
_TREMOR_LEVELS = 30.0
# Cells a side of the grid in which flow and differences are looked at, and how far it reaches
# beyond what the mask shows, as a part of that: a face moves from frame to frame.
_GRID_SIZE = 112
_MARGIN = 0.06
# A track that is away for longer begins anew.
_MAX_AWAY_SECONDS = 0.5


@dataclass(frozen=True, eq=False)
class _Seen:
    """A track in one frame."""

    seconds: float
    picture: FloatArray  # [R, R, 3] float32, levels: what the mask showed of it, and a margin
    frame_to_picture: FloatArray  # [2, 3]


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
        tracks: dict[int, _Seen] = {}
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
                seen = _Seen(seconds, picture, _frame_to_part(face, place))
                last, motion = tracks.get(face.track_id), face.motion
                if last is not None and motion is not None and motion.since_seconds == last.seconds:
                    memory = exp((last.seconds - seconds) / self.profile.texture_seconds)
                    picture = _averaged(last, seen, motion, memory)
                    seen = replace(seen, picture=picture)
                tracks[face.track_id] = seen
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
    side = min(size, ceil(longest * scale * (1 + 2 * _MARGIN)))
    top, left = (
        min(max(round((each[0] + each[-1] + 1) / 2 * scale - side / 2), 0), size - side)
        for each in (rows, columns)
    )
    return slice(top, top + side), slice(left, left + side)


def _frame_to_part(face: SwappedCrop, place: tuple[slice, slice]) -> FloatArray:
    """Pixels of the frame to pixels of that part of the picture."""
    rows, columns = place
    to_part = np.array([[1.0, 0.0, -columns.start], [0.0, 1.0, -rows.start]])
    crop_to_picture = resize(len(face.mask), len(face.pixels))
    return compose(face.frame_to_crop, compose(crop_to_picture, to_part))


def _averaged(last: _Seen, seen: _Seen, motion: FaceMotion, memory: float) -> FloatArray:
    """The picture [R, R, 3] float32 that is seen, with the last one mixed in where it moved along.

    ``memory`` is the share of the last one, 0 to 1, where both agree.
    """
    cv2 = opencv()
    picture, size, last_size = seen.picture, len(seen.picture), len(last.picture)
    grid, full = (_GRID_SIZE, _GRID_SIZE), (size, size)
    # Each point of a grid over the picture: where the flow has it from.
    grid_to_frame = compose(resize(_GRID_SIZE, size), invert(seen.frame_to_picture))
    here = cv2.transform(grid_xy(*grid), compose(grid_to_frame, motion.frame_to_view))
    known = cv2.merge([motion.steps, motion.is_known.astype(np.float32)])
    known = cv2.remap(known, here, None, cv2.INTER_LINEAR, borderValue=(0, 0, 0))  # [G, G, 3]
    view_to_last = compose(invert(motion.frame_to_view), last.frame_to_picture)
    there = cv2.transform(here + known[..., :2], view_to_last)  # [G, G, 2]
    is_inside = cv2.inRange(there, (0, 0), (last_size - 1,) * 2)  # [G, G], 0 or 255
    share = np.float32(memory / 255) * is_inside * known[..., 2]  # [G, G]

    moved = cv2.remap(
        last.picture,
        cv2.resize(there, full, interpolation=cv2.INTER_LINEAR),
        None,
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )  # [R, R, 3]
    levels = cv2.transform(cv2.absdiff(moved, picture), np.full((1, 3), 1 / 3))  # [R, R]
    levels = cv2.resize(levels, grid, interpolation=cv2.INTER_AREA)
    share = share * np.exp(-np.square(levels / _TREMOR_LEVELS))
    share = cv2.resize(share, full, interpolation=cv2.INTER_LINEAR)  # [R, R]
    # A cubic may overshoot; uint8 saturates, and what is remembered must not.
    mixed = cv2.blendLinear(moved, picture, share, 1 - share)  # [R, R, 3]
    return np.asarray(np.clip(mixed, 0, 255, out=mixed))
