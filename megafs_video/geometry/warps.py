"""Pictures moved by a similarity, without aliasing and without black borders."""

from __future__ import annotations

from math import ceil

import numpy as np

from megafs_video.geometry.similarity import compose, resize, scale_of
from megafs_video.values import FloatArray, UInt8Array, check_pixels

# Pixels of the frame from one sample to the next: bilinear samples leave none out up to here.
_MAX_STEP = 1.25


def warp(pixels: UInt8Array, frame_to_crop: FloatArray, size: int) -> UInt8Array:
    """The square crop [size, size, 3] that ``frame_to_crop`` shows.

    Beyond the frame the picture is mirrored, as in FFHQ. When the crop is smaller than what it
    shows, it is drawn larger first and averaged down, so fine texture does not shimmer.
    """
    import cv2

    check_pixels("pixels", pixels)
    scale = scale_of(frame_to_crop)
    if size <= 0 or scale <= 0:
        raise ValueError(f"size is {size} and scale {scale}, wanted more than 0")
    oversampling = max(1, ceil(1 / scale / _MAX_STEP))
    drawn_size = size * oversampling
    drawn = cv2.warpAffine(
        pixels,
        compose(frame_to_crop, resize(size, drawn_size)),
        (drawn_size, drawn_size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    if oversampling > 1:
        drawn = cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(drawn, dtype=np.uint8)
