"""Blend: swapped faces go back into their frame, and nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

import numpy as np

from megafs_video.faces.libraries import opencv
from megafs_video.geometry import boxes
from megafs_video.geometry.similarity import (
    compose,
    invert,
    resize,
    scale_of,
    transform_points,
)
from megafs_video.pipeline.colour import match_colours
from megafs_video.values import FloatArray, FrameFaces, SwappedCrop, UInt8Array

# Colours are compared on a grid of about this many samples a side: enough for a mean.
_COLOUR_GRID = 96


class Blend:
    """Stage that draws every swapped face into its frame, in the order of the faces.

    Pixels where no mask reaches keep their value bit by bit.
    """

    lookahead = 0

    def __call__(
        self, items: Iterator[FrameFaces[SwappedCrop]]
    ) -> Iterator[FrameFaces[SwappedCrop]]:
        for item in items:
            if not item.faces:
                yield item
                continue
            pixels = item.frame.pixels.copy()
            for swapped in item.faces:
                blend_face(pixels, swapped)
            yield FrameFaces(replace(item.frame, pixels=pixels), item.faces)


def blend_face(pixels: UInt8Array, swapped: SwappedCrop) -> None:
    """Draw one face into ``pixels`` [H, W, 3], in place.

    Only the box around the mask is read and written; a face cut by the border of the frame is
    drawn as far as it is inside.
    """
    box = _region(swapped, pixels.shape[0], pixels.shape[1])
    if box is None:
        return
    cv2 = opencv()
    left, top, right, bottom = box
    region = pixels[top:bottom, left:right]  # [h, w, 3], a view
    region_to_frame = np.array([[1.0, 0.0, left], [0.0, 1.0, top]])
    region_to_crop = compose(region_to_frame, swapped.frame_to_crop)
    size = (right - left, bottom - top)

    mask = cv2.warpAffine(
        np.ascontiguousarray(swapped.mask, dtype=np.float32),
        region_to_crop,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )  # [h, w]
    picture, interpolation = _at_frame_scale(swapped)
    crop_to_picture = resize(swapped.mask.shape[0], picture.shape[0])
    face = cv2.warpAffine(
        picture,
        compose(region_to_crop, crop_to_picture),
        size,
        flags=interpolation | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # [h, w, 3]

    step = max(1, ceil(max(size) / _COLOUR_GRID))
    grid = np.s_[::step, ::step]
    colour_map = match_colours(face[grid], region[grid], mask[grid])
    face = cv2.transform(face, colour_map)  # [h, w, 3], saturated
    # Rounds (face · mask + region · (1 - mask)) / 1: where the mask is 0 the region stays as is.
    pixels[top:bottom, left:right] = cv2.blendLinear(face, region, mask, 1.0 - mask)


def _at_frame_scale(swapped: SwappedCrop) -> tuple[UInt8Array, int]:
    """The picture no larger than the face is in the frame, and how to sample it from there.

    Averaging over areas first: sampling a large picture sparsely would flicker.
    """
    shown_size = swapped.mask.shape[0] / scale_of(swapped.frame_to_crop)  # pixels of the frame
    cv2 = opencv()
    if shown_size >= swapped.pixels.shape[0]:
        return swapped.pixels, cv2.INTER_CUBIC
    side = max(1, round(shown_size))
    picture = swapped.pixels
    while picture.shape[0] >= 2 * side and picture.shape[0] % 2 == 0:
        picture = _reduce(picture, picture.shape[0] // 2)  # ten times as fast as other factors
    return _reduce(picture, side), cv2.INTER_LINEAR


def _reduce(picture: UInt8Array, size: int) -> UInt8Array:
    """The picture at ``size`` pixels, each the mean of the area it covers."""
    cv2 = opencv()
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _region(swapped: SwappedCrop, height: int, width: int) -> tuple[int, int, int, int] | None:
    """The box (left, top, right, bottom) of whole pixels that the mask reaches, if any."""
    rows = np.flatnonzero(swapped.mask.any(axis=1))
    columns = np.flatnonzero(swapped.mask.any(axis=0))
    if len(rows) == 0:
        return None
    # Interpolation spreads a pixel to its neighbours.
    left, right = columns[0] - 1.0, columns[-1] + 1.0
    top, bottom = rows[0] - 1.0, rows[-1] + 1.0
    corners_xy = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    in_frame: FloatArray = transform_points(corners_xy, invert(swapped.frame_to_crop))
    box = boxes.around(in_frame)
    outwards = np.concatenate([np.floor(box[:2]), np.ceil(box[2:]) + 1])
    left, top, right, bottom = boxes.clip(outwards, height, width).astype(int).tolist()
    return (left, top, right, bottom) if left < right and top < bottom else None
