"""A contact sheet of a preview: every step of a swap in one labelled picture."""

from __future__ import annotations

import numpy as np

from megafs_video.faces.libraries import opencv
from megafs_video.pipeline.preview import Preview
from megafs_video.values import FloatArray, UInt8Array

TILE_SIZE = 448  # pixels
CAPTION_HEIGHT = 32  # pixels
NUM_COLUMNS = 3
_GROUND = 24
_INK = (235, 235, 235)

_Tile = tuple[str, UInt8Array | None]


def sheet(preview: Preview) -> UInt8Array:
    """Source, target, aligned crop, swap, mask and result of each face, labelled, [H, W, 3].

    Two rows of three tiles for each face; without a face the steps in between stay empty.
    """
    num_faces = len(preview.crops)
    tiles: list[_Tile] = []
    for index in range(max(1, num_faces)):
        which = f" {index + 1} of {num_faces}" if num_faces > 1 else ""
        crop, swap, mask = "aligned crop", "swap", "mask"
        crop_pixels = swap_pixels = mask_pixels = None
        source_index = 0
        if num_faces:
            source_index = preview.crops[index].source_index
            crop_pixels = preview.crops[index].pixels
            swap_pixels = preview.swaps[index].pixels
            mask_pixels = _grey(preview.swaps[index].mask)
        tiles += [
            ("source", preview.sources[source_index]),
            (f"target at {preview.seconds:.3f} s", preview.target.pixels),
            (crop + which, crop_pixels),
            (swap + which, swap_pixels),
            (mask + which, mask_pixels),
            ("blended", preview.blended),
        ]
    drawn = [_tile(caption, pixels) for caption, pixels in tiles]
    rows = [
        np.concatenate(drawn[start : start + NUM_COLUMNS], axis=1)
        for start in range(0, len(drawn), NUM_COLUMNS)
    ]
    return np.concatenate(rows, axis=0)


def _tile(caption: str, pixels: UInt8Array | None) -> UInt8Array:
    """A picture as large as fits, with its caption above, [CAPTION_HEIGHT + TILE_SIZE, …, 3]."""
    cv2 = opencv()
    tile = np.full((CAPTION_HEIGHT + TILE_SIZE, TILE_SIZE, 3), _GROUND, np.uint8)
    text = caption if pixels is not None else f"{caption}: no face"
    cv2.putText(
        tile, text, (10, CAPTION_HEIGHT - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.6, _INK, 1, cv2.LINE_AA
    )
    if pixels is None:
        return tile
    height, width = pixels.shape[:2]
    scale = TILE_SIZE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    fitted = cv2.resize(pixels, size, interpolation=how)
    top = CAPTION_HEIGHT + (TILE_SIZE - size[1]) // 2
    left = (TILE_SIZE - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = fitted
    return tile


def _grey(mask: FloatArray) -> UInt8Array:
    return np.repeat((mask * 255).round().astype(np.uint8)[..., None], 3, axis=2)
