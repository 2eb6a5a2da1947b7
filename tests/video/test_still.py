"""One frame becomes one picture; anything else is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from megafs_video.errors import CodecError, OutputError
from megafs_video.values import Frame
from megafs_video.video.picture import read_picture
from megafs_video.video.read import read_frames
from megafs_video.video.still import StillWriter
from megafs_video.video.write import check_output
from tests.clips import make_clip, numbered_picture

FRAME = Frame(numbered_picture(3), 0, Fraction(1, 25))
ORIENTATION, CAMERA, EXPOSURE = 0x0112, 0x010F, 0x829A


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photograph in a folder of its own."""
    path = tmp_path / "in" / "photo.png"
    path.parent.mkdir()
    Image.fromarray(numbered_picture(3)).save(path)
    return path


def repaint(photo: Path, output: Path) -> list[str]:
    """Write a photograph with a rectangle in it; what had to be noted."""
    [frame] = read_frames(photo)
    pixels = frame.pixels.copy()
    pixels[40:60, 30:50] = (200, 90, 40)
    with StillWriter(output, like=photo) as writer:
        writer.write(replace(frame, pixels=pixels))
    return writer.notes


def test_the_frame_becomes_the_picture(tmp_path: Path, photo: Path) -> None:
    with StillWriter(tmp_path / "a.png", like=photo) as writer:
        writer.write(FRAME)
        assert not (tmp_path / "a.png").exists()
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), FRAME.pixels)
    assert writer.notes == []


def test_a_second_frame_is_refused_and_nothing_is_left(tmp_path: Path, photo: Path) -> None:
    with (
        pytest.raises(CodecError, match="the target has more than one frame; name a video"),
        StillWriter(tmp_path / "a.png", like=photo) as writer,
    ):
        writer.write(FRAME)
        writer.write(FRAME)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_no_frame_is_no_picture(tmp_path: Path, photo: Path) -> None:
    with (
        pytest.raises(OutputError, match="no frame for it"),
        StillWriter(tmp_path / "a.png", like=photo),
    ):
        pass


def test_what_exists_is_kept(tmp_path: Path, photo: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        StillWriter(tmp_path / "a.png", like=photo)


def test_a_clip_does_not_fit_into_a_picture(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 3)
    with pytest.raises(CodecError, match=r"a.png is a picture, but .* has 3 frames"):
        check_output(tmp_path / "a.png", like=clip)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_upright_however_the_camera_was_held(
    tmp_path: Path, photo: Path, suffix: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION], exif[CAMERA] = orientation, "A camera"
    turned = photo.with_suffix(suffix)
    Image.open(photo).save(turned, exif=exif, quality=95)
    repaint(turned, tmp_path / "out.png")
    wanted, found = read_picture(turned), read_picture(tmp_path / "out.png")
    assert found.shape == wanted.shape
    outside = np.ones(found.shape[:2], bool)
    outside[38:62, 28:52] = False
    # Two decoders of one JPEG or WebP draw its colour in two ways; a PNG has one.
    assert np.abs(found.astype(int) - wanted)[outside].mean() < (3 if suffix != ".png" else 1e-9)
    assert np.abs(found[45:55, 35:45].astype(int) - (200, 90, 40)).max() <= 4


def test_camera_data_go_along_but_for_the_flag_and_the_preview(tmp_path: Path, photo: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION], exif[CAMERA] = 6, "A camera"
    exif.get_ifd(0x8769)[EXPOSURE] = 0.02
    exif.get_ifd(1)[0x0201] = 10  # IFD 1 tells of the preview
    Image.open(photo).save(photo.with_suffix(".jpg"), exif=exif)
    repaint(photo.with_suffix(".jpg"), tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as written:
        found = written.getexif()
        assert dict(found) | {0x8769: 0} == {CAMERA: "A camera", 0x8769: 0}
        assert found.get_ifd(0x8769)[EXPOSURE] == pytest.approx(0.02)
        assert found.get_ifd(1) == {}


def test_a_colour_profile_goes_along(tmp_path: Path, photo: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.open(photo).save(photo.with_suffix(".jpg"), icc_profile=profile)
    for name in ("out.png", "out.jpg", "out.webp"):
        assert repaint(photo.with_suffix(".jpg"), tmp_path / name) == []
        with Image.open(tmp_path / name) as written:
            assert written.info["icc_profile"] == profile


def test_a_profile_of_other_colours_is_left_out_and_said(tmp_path: Path, photo: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    Image.open(photo).save(photo.with_suffix(".jpg"), icc_profile=lab)
    notes = repaint(photo.with_suffix(".jpg"), tmp_path / "out.png")
    assert notes == ["the colour profile is for Lab, not for RGB: it was left out"]


def test_a_transparent_picture_stays_transparent_or_is_refused(tmp_path: Path, photo: Path) -> None:
    clear = Image.open(photo)
    alpha = np.tile(np.arange(128, dtype=np.uint8), (96, 1))
    clear.putalpha(Image.fromarray(alpha))
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    clear.save(photo, exif=exif)
    assert repaint(photo, tmp_path / "out.png") == []
    with Image.open(tmp_path / "out.png") as written, Image.open(photo) as read:
        assert written.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(written.getchannel("A")), alpha[::-1, ::-1])
        upright = np.asarray(ImageOps.exif_transpose(read))
        np.testing.assert_array_equal(np.asarray(written)[:30], upright[:30])
    with pytest.raises(CodecError, match=r"transparent parts \(rgba\), which .jpg cannot keep"):
        check_output(tmp_path / "out.jpg", like=photo)


def test_a_deep_picture_is_written_with_eight_bits_and_that_is_said(
    tmp_path: Path, photo: Path
) -> None:
    Image.fromarray(np.full((96, 128), 30_000, np.uint16)).save(photo)
    assert repaint(photo, tmp_path / "out.png") == ["16-bit pictures were written with 8 bits"]
