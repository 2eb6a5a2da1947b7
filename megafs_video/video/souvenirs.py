"""What a photograph carries beside its colours: which way is up, profile, camera data, alpha."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from megafs_video.errors import PictureError
from megafs_video.video.orientation import exif_matrix
from megafs_video.video.picture import NO_SOUVENIRS, Souvenirs, opened

_ORIENTATION = 0x0112  # EXIF's tag
_PROFILE_SPACE = slice(16, 20)  # where an ICC profile names the space of its colours


def matrix_of_photo(path: Path) -> tuple[int, ...]:
    """The display matrix of what EXIF says; that of an upright picture if it says nothing."""
    try:
        with opened(path) as picture:
            return exif_matrix(picture.getexif().get(_ORIENTATION, 1))
    except PictureError:
        return exif_matrix(1)


def souvenirs_of(path: Path) -> Souvenirs:
    """What goes along; nothing, if Pillow cannot read the file (the frame of a video)."""
    try:
        with opened(path) as picture:
            alpha = _alpha(picture)  # by the flag that is taken away below
            exif = picture.getexif()
            exif.pop(_ORIENTATION, None)  # the pixels are upright by now
            profile = picture.info.get("icc_profile")
            losses = []
            if profile is not None and profile[_PROFILE_SPACE] != b"RGB ":
                space = profile[_PROFILE_SPACE].decode("ascii", "replace").strip()
                losses.append(f"the colour profile is for {space}, not for RGB: it was left out")
                profile = None
            # Written anew from its entries, so without the preview: that shows the old face.
            return Souvenirs(profile, exif.tobytes() if exif else None, alpha, tuple(losses))
    except PictureError:
        return NO_SOUVENIRS


def _alpha(picture: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None:
    if not picture.has_transparency_data:
        return None
    upright = ImageOps.exif_transpose(picture)
    return np.array(upright.convert("RGBA").getchannel("A"), dtype=np.uint8)  # [H, W]
