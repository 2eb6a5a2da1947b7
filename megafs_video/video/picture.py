"""Still pictures: read any common kind as upright RGB, write PNG, JPEG or WebP whole."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from megafs_video.errors import InputNotFoundError, OutputError, PictureError
from megafs_video.values import UInt8Array, check_pixels
from megafs_video.video.landing import Landing, output_error

# A few kilobytes can unfold into terabytes of pixels; no camera makes more than this.
MAX_PICTURE_PIXELS = 250_000_000

_WRITE_OPTIONS: dict[str, dict[str, int | str]] = {
    ".png": {"format": "PNG"},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "quality": 95},
}
PICTURE_SUFFIXES = tuple(_WRITE_OPTIONS)
OPAQUE_SUFFIXES = (".jpg", ".jpeg")


@dataclass(frozen=True, eq=False)
class Souvenirs:
    """What a photograph carries beside its colours, for a picture that takes its place."""

    color_profile: bytes | None = None  # ICC, of RGB
    exif: bytes | None = None  # upright, without a preview
    alpha: UInt8Array | None = None  # [H, W], upright: 0 is clear, 255 is solid
    losses: tuple[str, ...] = ()  # what cannot go along, one sentence each


NO_SOUVENIRS = Souvenirs()


def read_picture(path: Path) -> UInt8Array:
    """The picture as uint8 [H, W, 3] RGB, turned upright by its EXIF flag, laid on white.

    InputNotFoundError: no such file. PictureError: not a picture, damaged, or too large.
    """
    with opened(path) as picture:
        return _to_rgb(ImageOps.exif_transpose(picture))


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A picture in Pillow's hands while the block lasts; errors as in ``read_picture``."""
    try:
        # Pillow warns of large pictures by a limit of its own, and of damage that it got past.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                if picture.width * picture.height > MAX_PICTURE_PIXELS:
                    raise PictureError(
                        f"{path} is {picture.width}x{picture.height} pixels, more than "
                        f"{MAX_PICTURE_PIXELS:,}; make it smaller"
                    )
                yield picture
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputNotFoundError(f"{path} does not exist; check the name") from error
    except PermissionError as error:
        raise InputNotFoundError(f"{path} may not be read; check its permissions") from error
    except IsADirectoryError as error:
        raise PictureError(f"{path} is not a picture but a folder; name a file in it") from error
    except UnidentifiedImageError as error:
        raise PictureError(f"{path} is not a picture; use a PNG, JPEG or WebP file") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"{path} has too many pixels; make it smaller") from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise PictureError(f"{path} is damaged ({error}); save it anew") from error


def write_picture(
    path: Path,
    pixels: UInt8Array,
    overwrite: bool = False,
    *,
    souvenirs: Souvenirs = NO_SOUVENIRS,
) -> None:
    """Write uint8 [H, W, 3] RGB by the suffix of ``path``: the file appears whole or not at all.

    OutputError: an unknown suffix, the file exists (unless ``overwrite``), its folder is
    missing or not writable, or the disk is full.
    """
    check_pixels("pixels", pixels)
    options = _WRITE_OPTIONS.get(path.suffix.lower())
    if options is None:
        raise OutputError(
            f"{path} does not end in a known kind of picture; use {', '.join(_WRITE_OPTIONS)}"
        )
    landing = Landing(path, overwrite=overwrite)
    try:
        picture = Image.fromarray(pixels)
        if souvenirs.alpha is not None:
            picture.putalpha(Image.fromarray(souvenirs.alpha))
        carried = {"icc_profile": souvenirs.color_profile, "exif": souvenirs.exif}
        carried = {name: value for name, value in carried.items() if value is not None}
        picture.save(landing.hidden_path, **options, **carried)  # type: ignore[arg-type]
        landing.commit()
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        landing.discard()


def _to_rgb(picture: Image.Image) -> UInt8Array:
    """8-bit RGB of any mode; what is transparent shows white."""
    if picture.mode.startswith("I") or picture.mode == "F":
        return _grey_to_rgb(np.asarray(picture))
    if picture.has_transparency_data:
        coloured = picture.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        picture = Image.alpha_composite(white, coloured)
    return np.array(picture.convert("RGB"), dtype=np.uint8)  # [H, W, 3]


def _grey_to_rgb(levels: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> UInt8Array:
    """Grey of 16 bits or of floating point, [H, W]: Pillow's own conversion cuts it off at 255."""
    wide = levels.astype(np.float64)
    scale = 255 / 65535 if np.issubdtype(levels.dtype, np.integer) else 255.0
    grey = np.clip(wide * scale + 0.5, 0, 255).astype(np.uint8)  # [H, W]
    return np.repeat(grey[..., None], 3, axis=2)
