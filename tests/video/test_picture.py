"""Still pictures go in and out whole, upright and in RGB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from megafs_video.errors import InputNotFoundError, OutputError, PictureError
from megafs_video.video import picture as picture_module
from megafs_video.video.picture import read_picture, write_picture
from tests.clips import numbered_picture

EXIF_ORIENTATION = 0x0112


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp", ".PNG"])
def test_a_picture_survives_writing_and_reading(tmp_path: Path, suffix: str) -> None:
    pixels = numbered_picture(5)
    write_picture(tmp_path / f"a{suffix}", pixels)
    found = read_picture(tmp_path / f"a{suffix}")
    assert found.dtype == np.uint8
    # JPEG and WebP at quality 95 move a smooth picture by about one level.
    limit = 0 if suffix.lower() == ".png" else 2
    assert np.abs(found.astype(int) - pixels).mean() <= limit
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]


@pytest.mark.parametrize("suffix", [".bmp", ".tiff", ".gif"])
def test_other_kinds_are_read_too(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(numbered_picture(1)).save(tmp_path / f"a{suffix}")
    assert read_picture(tmp_path / f"a{suffix}").shape == (96, 128, 3)


def test_the_cameras_orientation_is_applied(tmp_path: Path) -> None:
    pixels = numbered_picture(9)
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6  # to be turned a quarter clockwise
    Image.fromarray(pixels).save(tmp_path / "phone.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "phone.png"), np.rot90(pixels, -1))


def test_what_is_transparent_shows_white(tmp_path: Path) -> None:
    layers = np.zeros((2, 2, 4), np.uint8)
    layers[0, 0] = (10, 20, 30, 255)
    layers[1, 1] = (0, 0, 0, 128)
    Image.fromarray(layers).save(tmp_path / "clear.png")
    found = read_picture(tmp_path / "clear.png")
    assert found[0, 0].tolist() == [10, 20, 30]
    assert found[0, 1].tolist() == [255, 255, 255]
    assert abs(int(found[1, 1, 0]) - 127) <= 1


def test_grey_of_sixteen_bits_keeps_its_steps(tmp_path: Path) -> None:
    levels = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    assert read_picture(tmp_path / "deep.png")[0, :, 0].tolist() == [0, 1, 128, 255]


def test_grey_of_floating_point_is_taken_as_zero_to_one(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0.0, 0.5, 1.0, 2.0]], np.float32)).save(tmp_path / "deep.tiff")
    assert read_picture(tmp_path / "deep.tiff")[0, :, 0].tolist() == [0, 128, 255, 255]


def test_a_palette_becomes_rgb(tmp_path: Path) -> None:
    Image.fromarray(numbered_picture(3)).convert("P").save(tmp_path / "few.png")
    assert read_picture(tmp_path / "few.png").shape == (96, 128, 3)


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    write_picture(tmp_path / "whole.png", numbered_picture(1))
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:300])
    for name, message in [
        ("text.png", "is not a picture; use"),
        ("empty.png", "is not a picture; use"),
        ("folder.png", "is not a picture but a folder"),
        ("cut.png", "is damaged"),
    ]:
        with pytest.raises(PictureError, match=f"{name} {message}"):
            read_picture(tmp_path / name)
    with pytest.raises(InputNotFoundError, match="does not exist"):
        read_picture(tmp_path / "none.png")


def test_a_picture_that_would_unfold_too_far_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_picture(tmp_path / "a.png", numbered_picture(1))
    monkeypatch.setattr(picture_module, "MAX_PICTURE_PIXELS", 1000)
    with pytest.raises(PictureError, match=r"is 128x96 pixels, more than 1,000"):
        read_picture(tmp_path / "a.png")


def test_an_existing_picture_is_kept_unless_allowed(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", numbered_picture(1))
    with pytest.raises(OutputError, match="exists already"):
        write_picture(tmp_path / "a.png", numbered_picture(2))
    assert np.array_equal(read_picture(tmp_path / "a.png"), numbered_picture(1))
    write_picture(tmp_path / "a.png", numbered_picture(2), overwrite=True)
    assert np.array_equal(read_picture(tmp_path / "a.png"), numbered_picture(2))


def test_a_place_where_no_picture_can_be_is_refused(tmp_path: Path) -> None:
    pixels = numbered_picture(1)
    with pytest.raises(OutputError, match=r"use \.png, \.jpg"):
        write_picture(tmp_path / "a.xyz", pixels)
    with pytest.raises(OutputError, match=r"the folder of .* does not exist"):
        write_picture(tmp_path / "none" / "a.png", pixels)
    with pytest.raises(ValueError, match="pixels has dtype float64, wanted uint8"):
        write_picture(tmp_path / "a.png", pixels / 255)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
