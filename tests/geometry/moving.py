"""Pictures with something to follow, and the same pictures moved."""

from __future__ import annotations

import cv2
import numpy as np

from megafs_video.values import FloatArray, UInt8Array

HEIGHT, WIDTH = 96, 128


def texture(seed: int = 0) -> UInt8Array:
    """Soft blobs that flow can follow, and room around them."""
    noise = np.random.default_rng(seed).normal(size=(HEIGHT, WIDTH, 3))
    soft = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return np.clip(128 + 60 * soft / soft.std(), 0, 255).astype(np.uint8)


def moved(pixels: UInt8Array, x: float, y: float) -> UInt8Array:
    """The picture moved by so many pixels."""
    return carried(pixels, np.array([[1.0, 0.0, x], [0.0, 1.0, y]]))


def carried(pixels: UInt8Array, matrix: FloatArray) -> UInt8Array:
    """The picture carried by a similarity [2, 3]."""
    return cv2.warpAffine(pixels, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT_101)  # type: ignore[return-value]
