"""Portraits worked out from colours: who, how held and what done, without a network."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from megafs_video.evaluation.portrait import Portrait
from megafs_video.values import FloatArray, UInt8Array


def portrait(identity: FloatArray, *, yaw_degrees: float = 0.0, smile: float = 0.0) -> Portrait:
    """A portrait by one judge; the yaw and the smile are all that its face does."""
    unit = np.asarray(identity, dtype=np.float64)
    return Portrait(
        identities={"tint": unit / np.linalg.norm(unit)},
        head_to_camera=Rotation.from_euler("Y", yaw_degrees, degrees=True).as_matrix(),
        coefficients=np.full(10, smile),
        blendshapes=np.full(52, smile / 10),
    )


def examine_colour(pixels: UInt8Array) -> Portrait | None:
    """Red, green and blue are who it is; the yaw is the blue level; black is no face."""
    colour = pixels.mean(axis=(0, 1))  # [3]
    if colour.max() < 8:
        return None
    return portrait(colour, yaw_degrees=colour[2] / 10, smile=colour[1] / 100)
