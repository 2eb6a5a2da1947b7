"""Pictures moved by a similarity, without aliasing and without black borders."""

from __future__ import annotations

from math import ceil

import numpy as np

from megafs_video.geometry.similarity import compose, invert, resize, scale_of
from megafs_video.values import FloatArray, UInt8Array, check_pixels

# Pixels of the frame from one sample to the next: bilinear samples leave none out up to here.
_MAX_STEP = 1.25


def warp(pixels: UInt8Array, frame_to_crop: FloatArray, size: int) -> UInt8Array:
    """The square crop [size, size, 3] that ``frame_to_crop`` shows.

    Beyond the frame the picture is mirrored, as in FFHQ. When the crop is smaller than what it
    shows, it is drawn larger first and averaged down, so fine texture does not shimmer.
    """
    import cv2

    _check(pixels, frame_to_crop, size)
    oversampling = max(1, ceil(1 / scale_of(frame_to_crop) / _MAX_STEP))
    drawn_size = size * oversampling
    drawn = _drawn(pixels, compose(frame_to_crop, resize(size, drawn_size)), drawn_size)
    if oversampling > 1:
        drawn = cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(drawn, dtype=np.uint8)


def grey_warp(pixels: UInt8Array, frame_to_crop: FloatArray, size: int) -> UInt8Array:
    """The square crop as ``warp`` cuts it, in grey [size, size]: for looking at, and quicker.

    Only the part of ``pixels`` [H, W, 3] that it shows is read; where the crop is smaller than
    that, the part is averaged down before it is turned.
    """
    import cv2

    _check(pixels, frame_to_crop, size)
    # Whole: such averages are ten times as quick as others.
    shrinking = max(1, round(1 / scale_of(frame_to_crop)))
    left, top, right, bottom = _shown_box(pixels, frame_to_crop, size, shrinking)
    region = cv2.cvtColor(pixels[top:bottom, left:right], cv2.COLOR_RGB2GRAY)
    if shrinking > 1:
        small = ((right - left) // shrinking, (bottom - top) // shrinking)
        region = cv2.resize(region, small, interpolation=cv2.INTER_AREA)
    to_frame = compose(resize(1, shrinking), np.array([[1.0, 0.0, left], [0.0, 1.0, top]]))
    return _drawn(region, compose(to_frame, frame_to_crop), size)


def _check(pixels: UInt8Array, frame_to_crop: FloatArray, size: int) -> None:
    check_pixels("pixels", pixels)
    scale = scale_of(frame_to_crop)
    if size <= 0 or scale <= 0:
        raise ValueError(f"size is {size} and scale {scale}, wanted more than 0")


def _drawn(pixels: UInt8Array, frame_to_crop: FloatArray, size: int) -> UInt8Array:
    """What a square crop shows, sampled as it is; mirrored beyond the picture."""
    import cv2

    left, top, right, bottom = _corners_box(frame_to_crop, size)
    height, width = pixels.shape[:2]
    is_inside = left >= 0 and top >= 0 and right <= width - 1 and bottom <= height - 1
    return np.asarray(
        cv2.warpAffine(
            pixels,
            frame_to_crop,
            (size, size),
            flags=cv2.INTER_LINEAR,
            # OpenCV 5 takes three times as long where it might have to mirror.
            borderMode=cv2.BORDER_REPLICATE if is_inside else cv2.BORDER_REFLECT_101,
        ),
        np.uint8,
    )


def _corners_box(frame_to_crop: FloatArray, size: int) -> tuple[float, float, float, float]:
    """The box (left, top, right, bottom) around the corner pixels of a crop, in the frame."""
    (a, b, x), (c, d, y) = invert(frame_to_crop).tolist()
    middle = (size - 1) / 2
    center_x, center_y = (a + b) * middle + x, (c + d) * middle + y
    reach_x, reach_y = (abs(a) + abs(b)) * middle, (abs(c) + abs(d)) * middle
    return center_x - reach_x, center_y - reach_y, center_x + reach_x, center_y + reach_y


def _shown_box(
    pixels: UInt8Array, frame_to_crop: FloatArray, size: int, multiple: int
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part of a picture that a crop shows, with some margin.

    Its sides are multiples of ``multiple`` (where the picture is that large). All of the picture
    for a crop that lies outside.
    """
    height, width = pixels.shape[:2]
    margin = 2.0 * multiple
    left, top, right, bottom = _corners_box(frame_to_crop, size)
    # What is mirrored is shown too: as far inside as the crop reaches beyond.
    begin_x = _held(min(left, 2 * width - right) - margin, width)
    begin_y = _held(min(top, 2 * height - bottom) - margin, height)
    end_x = _held(max(right, -left) + margin, width)
    end_y = _held(max(bottom, -top) + margin, height)
    if end_x - begin_x < multiple or end_y - begin_y < multiple:
        begin_x, begin_y, end_x, end_y = 0, 0, width, height
    return (
        begin_x,
        begin_y,
        begin_x + max(multiple, (end_x - begin_x) // multiple * multiple),
        begin_y + max(multiple, (end_y - begin_y) // multiple * multiple),
    )


def _held(place: float, end: int) -> int:
    """The whole pixel at or before a place, from 0 to the end of a picture."""
    return int(min(max(place, 0.0), end))
