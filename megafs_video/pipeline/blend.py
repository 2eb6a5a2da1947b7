"""Blend: swapped faces go back into their frame, and nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from megafs_video.faces.libraries import opencv
from megafs_video.geometry import boxes
from megafs_video.geometry.similarity import (
    compose,
    invert,
    resize,
    transform_points,
)
from megafs_video.pipeline.colour import NUM_TERMS, UNCHANGED, match_light, place_terms
from megafs_video.pipeline.profile import Profile
from megafs_video.pipeline.steady import at_frame_scale, shown_side
from megafs_video.pipeline.window import MAX_LOOKAHEAD_FRAMES, filtered, lookahead_frames
from megafs_video.trajectories.filters import Sample
from megafs_video.values import FloatArray, FrameFaces, Patch, SwappedCrop, UInt8Array

# Faces are compared on a grid of about this many samples a side: enough to know their light.
_COMPARED_GRID = 32
# Light is worked out on a grid of this many cells a side: between them it is as good as straight.
_LIGHT_GRID = 32


@dataclass(frozen=True, eq=False)
class _Placed:
    """A swapped face as large and where it is in its frame."""

    swapped: SwappedCrop
    box: tuple[int, int, int, int]  # left, top, right, bottom; all zero if out of sight
    face: UInt8Array  # [h, w, 3], the face inside the box
    mask: FloatArray  # [h, w] in [0, 1]
    light_map: FloatArray  # [3, 9], from the face's light to the target's

    @property
    def track_id(self) -> int:
        """The number it keeps from frame to frame."""
        return self.swapped.track_id


@dataclass(frozen=True)
class Blend:
    """Stage that draws every swapped face into its frame, in the order of the faces.

    Pixels where no mask reaches keep their value bit by bit. The map that puts a face into the
    target's light is smooth over time within one track: a mouth that opens or a hand that
    passes must not tint the skin. Without a profile each frame has its own map, exactly.
    """

    profile: Profile | None = None
    max_lookahead_frames: int = MAX_LOOKAHEAD_FRAMES

    @property
    def lookahead(self) -> int:
        """Most frames that wait while the filter looks ahead."""
        if self.profile is None:
            return 0
        return lookahead_frames([self.profile.colour], self.max_lookahead_frames)

    def __call__(
        self, items: Iterator[FrameFaces[SwappedCrop]]
    ) -> Iterator[FrameFaces[SwappedCrop]]:
        placed_items = (
            FrameFaces(item.frame, tuple(_place(item.frame.pixels, face) for face in item.faces))
            for item in items
        )
        if self.profile is None:
            for item in placed_items:
                yield _drawn(item, [placed.light_map for placed in item.faces])
            return
        for item, values_of_faces in filtered(
            placed_items,
            _samples,
            [self.profile.colour],
            name="blend",
            max_frames=self.max_lookahead_frames,
        ):
            yield _drawn(
                item, [light_map.reshape(UNCHANGED.shape) for (light_map,) in values_of_faces]
            )


def _samples(seconds: float, placed: _Placed) -> Sequence[Sample]:
    """The light map [27]; a gain of 1 more changes a grey of 128 as much as 128 levels more."""
    unit = np.array(([1.0] * 3 + [128.0] * NUM_TERMS) * 3)
    return [Sample(seconds, placed.light_map.ravel(), unit=unit)]


def _place(pixels: UInt8Array, swapped: SwappedCrop) -> _Placed:
    """The face as it belongs into ``pixels`` [H, W, 3], which are only read.

    Only the box around the mask is worked on; a face cut by the border of the frame is placed
    as far as it is inside.
    """
    cv2 = opencv()
    left, top, right, bottom = box = _region(swapped, pixels.shape[0], pixels.shape[1])
    size = (right - left, bottom - top)
    if box == (0, 0, 0, 0):
        empty = np.empty((0, 0, 3), np.uint8)
        return _Placed(swapped, box, empty, np.empty((0, 0), np.float32), UNCHANGED)
    region = pixels[top:bottom, left:right]  # [h, w, 3], a view
    region_to_frame = np.array([[1.0, 0.0, left], [0.0, 1.0, top]])
    region_to_crop = compose(region_to_frame, swapped.frame_to_crop)

    mask = cv2.warpAffine(
        np.ascontiguousarray(swapped.mask, dtype=np.float32),
        region_to_crop,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )  # [h, w]
    picture = at_frame_scale(swapped).pixels
    crop_to_picture = resize(swapped.mask.shape[0], picture.shape[0])
    region_to_picture = compose(region_to_crop, crop_to_picture)
    if picture.shape[0] >= swapped.pixels.shape[0]:  # not averaged down, so between its pixels
        times = max(2, ceil(shown_side(swapped) / picture.shape[0]))
        picture, region_to_picture = _enlarged(picture, region_to_picture, size, times)
    face = cv2.warpAffine(
        picture,
        region_to_picture,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # [h, w, 3]

    step = max(1, ceil(max(size) / _COMPARED_GRID))
    grid = np.s_[::step, ::step]
    x = np.arange(left, right, step).astype(np.float64)
    y = np.arange(top, bottom, step).astype(np.float64)
    light_map = match_light(face[grid], region[grid], mask[grid], _places(swapped, x, y))
    return _Placed(swapped, box, face, mask, light_map)


def _enlarged(
    picture: UInt8Array, region_to_picture: FloatArray, size: tuple[int, int], times: int
) -> tuple[UInt8Array, FloatArray]:
    """The part of a picture that a region shows, so many times as large, and the way there.

    Cubic, or a face that is as large in the frame as it was drawn would be blurred between its
    pixels. To sample the small picture so takes four times as long.
    """
    cv2 = opencv()
    width, height = size
    corners_xy = np.array([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]])
    box = boxes.around(transform_points(corners_xy, region_to_picture))
    wide = boxes.clip(box + np.array([-3.0, -3.0, 4.0, 4.0]), *picture.shape[:2])
    left, top, right, bottom = wide.astype(int).tolist()
    large_size = (times * (right - left), times * (bottom - top))
    large = cv2.resize(picture[top:bottom, left:right], large_size, interpolation=cv2.INTER_CUBIC)
    to_part = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top]])
    return large, compose(compose(region_to_picture, to_part), resize(1, times))


def _places(swapped: SwappedCrop, x: FloatArray, y: FloatArray) -> FloatArray:
    """Places [H, W, 2] in the crop, -1 to 1, of a grid of pixels of the frame."""
    in_frame = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    in_crop = transform_points(in_frame, swapped.frame_to_crop)
    half = swapped.mask.shape[0] / 2
    return np.asarray((in_crop + 0.5) / half - 1).reshape(len(y), len(x), 2)


def _relit(placed: _Placed, light_map: FloatArray) -> FloatArray:
    """The face [h, w, 3] float32 in the light that its map [3, 9] gives, in levels."""
    cv2 = opencv()
    left, top, right, bottom = placed.box
    cells = (np.arange(_LIGHT_GRID) + 0.5) / _LIGHT_GRID
    x, y = left + cells * (right - left) - 0.5, top + cells * (bottom - top) - 0.5
    field = place_terms(_places(placed.swapped, x, y)) @ light_map[:, 3:].T  # [grid, grid, 3]
    light = cv2.resize(field.astype(np.float32), (right - left, bottom - top))
    face = cv2.transform(placed.face.astype(np.float32), light_map[:, :3].astype(np.float32))
    return np.asarray(cv2.add(face, light))


def _drawn(item: FrameFaces[_Placed], light_maps: Sequence[FloatArray]) -> FrameFaces[SwappedCrop]:
    """The frame with every face in it, each in the light that its map [3, 9] gives."""
    swapped = tuple(placed.swapped for placed in item.faces)
    if not swapped:
        return FrameFaces(item.frame, swapped)
    cv2 = opencv()
    seen = [placed.box for placed in item.faces if placed.mask.size > 0]
    if not seen:
        return FrameFaces(item.frame, swapped)
    lefts, tops, rights, bottoms = zip(*seen, strict=True)
    begin_x, begin_y = min(lefts), min(tops)
    pixels = item.frame.pixels[begin_y : max(bottoms), begin_x : max(rights)].copy()
    for placed, light_map in zip(item.faces, light_maps, strict=True):
        if placed.mask.size == 0:
            continue
        left, top, right, bottom = placed.box
        place = np.s_[top - begin_y : bottom - begin_y, left - begin_x : right - begin_x]
        region = pixels[place]  # [h, w, 3], a view
        change = cv2.subtract(_relit(placed, light_map), region, dtype=cv2.CV_32F)
        mask = placed.mask * np.float32(placed.swapped.opacity)
        change = cv2.multiply(change, cv2.merge([mask] * 3))
        # Rounded, saturated: where the mask is 0 the region stays.
        pixels[place] = cv2.add(region, change, dtype=cv2.CV_8U)
    return FrameFaces(replace(item.frame, patch=Patch(begin_x, begin_y, pixels)), swapped)


def _region(swapped: SwappedCrop, height: int, width: int) -> tuple[int, int, int, int]:
    """The box (left, top, right, bottom) of whole pixels that the mask reaches, or all zero."""
    rows = np.flatnonzero(swapped.mask.any(axis=1))
    columns = np.flatnonzero(swapped.mask.any(axis=0))
    if len(rows) == 0:
        return (0, 0, 0, 0)
    # Interpolation spreads a pixel to its neighbours.
    left, right = columns[0] - 1.0, columns[-1] + 1.0
    top, bottom = rows[0] - 1.0, rows[-1] + 1.0
    corners_xy = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    in_frame: FloatArray = transform_points(corners_xy, invert(swapped.frame_to_crop))
    box = boxes.around(in_frame)
    outwards = np.concatenate([np.floor(box[:2]), np.ceil(box[2:]) + 1])
    left, top, right, bottom = boxes.clip(outwards, height, width).astype(int).tolist()
    return (left, top, right, bottom) if left < right and top < bottom else (0, 0, 0, 0)
