"""Numbered pictures are a clip; what is not one series without a gap is refused."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from megafs_video.errors import DamagedVideoError, InputNotFoundError, MegafsError, VideoError
from megafs_video.video.probe import probe
from megafs_video.video.read import read_frames
from megafs_video.video.sample import frames_at
from megafs_video.video.sequence import PictureSequence, as_footage, footage_at
from megafs_video.video.write import VideoWriter, check_output
from tests.clips import make_clip, number_of, numbered_picture, pts_of

NTSC_FILM = Fraction(24_000, 1001)


def make_sequence(folder: Path, names: list[str]) -> Path:
    """Pictures that show their place in the row."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(numbered_picture(number)).save(folder / name)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures that begin at 8, with something else beside them."""
    names = [f"frame-{number:04d}.png" for number in range(8, 20)]
    folder = make_sequence(tmp_path / "100 % scans", names)
    (folder / "notes.txt").write_text("the last reel")
    (folder / ".frame-0001.png").write_bytes(b"hidden")
    return folder


@pytest.mark.parametrize("name", ["", "frame-%04d.png"])
def test_a_folder_or_a_pattern_is_read_in_order_at_its_rate(folder: Path, name: str) -> None:
    footage = footage_at(folder / name if name else folder, NTSC_FILM)
    assert isinstance(footage, PictureSequence)
    assert str(footage) == str(folder / "frame-%04d.png")
    frames = list(read_frames(footage))
    assert [number_of(frame.pixels) for frame in frames] == list(range(12))
    assert [frame.pts * frame.time_base for frame in frames] == [n / NTSC_FILM for n in range(12)]
    info = probe(footage)
    assert (info.num_frames, info.frame_rate) == (12, NTSC_FILM)
    assert info.duration_seconds == pytest.approx(float(12 / NTSC_FILM))


def test_times_and_cuts_are_exact(folder: Path) -> None:
    footage = footage_at(folder, Fraction(10))
    assert [number_of(f.pixels) for f in frames_at(footage, [0.75, 0.1, 1.19])] == [7, 1, 11]
    cut = read_frames(footage, start_seconds=0.3, end_seconds=0.6)
    assert [number_of(frame.pixels) for frame in cut] == [3, 4, 5]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff", ".bmp"])
def test_a_sequence_becomes_a_video_with_its_times(tmp_path: Path, suffix: str) -> None:
    names = [f"{number:02d}{suffix}" for number in range(4)]
    footage = footage_at(make_sequence(tmp_path / "in", names), Fraction(30))
    with VideoWriter(tmp_path / "out.mp4", like=footage, codec="h264") as writer:
        for frame in read_frames(footage):
            writer.write(frame)
    assert pts_of(tmp_path / "out.mp4") == [Fraction(number, 30) for number in range(4)]
    assert probe(tmp_path / "out.mp4").duration_seconds == pytest.approx(4 / 30)
    assert [number_of(f.pixels) for f in read_frames(tmp_path / "out.mp4")] == list(range(4))


def test_numbers_need_no_zeros_before_them(tmp_path: Path) -> None:
    folder = make_sequence(tmp_path / "in", [f"shot2_{number}.png" for number in range(7, 12)])
    footage = as_footage(folder)
    assert [number_of(frame.pixels) for frame in read_frames(footage)] == list(range(5))
    assert footage_at(folder / "shot2_%d.png") == footage
    assert isinstance(footage, PictureSequence)
    assert footage.rate == 25


def test_a_missing_picture_is_named(folder: Path) -> None:
    (folder / "frame-0011.png").unlink()
    with pytest.raises(VideoError, match=r"frame-0011\.png is missing among .* from 0008 to 0019"):
        footage_at(folder)


def test_pictures_of_two_series_are_not_mixed(folder: Path) -> None:
    make_sequence(folder, ["mask-0008.png"])
    with pytest.raises(VideoError, match="has pictures of several series"):
        footage_at(folder)
    assert len(list(read_frames(footage_at(folder / "frame-%04d.png")))) == 12


def test_a_folder_without_pictures_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match=r"has no pictures \(\.png"):
        footage_at(tmp_path)
    with pytest.raises(InputNotFoundError, match=r"a-%03d.png has no pictures"):
        footage_at(tmp_path / "nowhere" / "a-%03d.png")
    make_sequence(tmp_path, ["cover.png"])
    with pytest.raises(VideoError, match=r"cover\.png has no number"):
        footage_at(tmp_path)


def test_a_rate_is_for_pictures_alone(tmp_path: Path, folder: Path) -> None:
    clip = make_clip(tmp_path / "50%d.mp4", 2)
    assert footage_at(clip) == clip
    with pytest.raises(VideoError, match="has times of its own"):
        footage_at(clip, Fraction(24))
    for rate in (Fraction(0), Fraction(-25), Fraction(100_000)):
        with pytest.raises(VideoError, match="pictures a second is out of range"):
            footage_at(folder, rate)


def test_pictures_of_two_sizes_are_refused(folder: Path) -> None:
    Image.fromarray(numbered_picture(0, 48, 128)).save(folder / "frame-0012.png")
    with pytest.raises(VideoError, match="changes its size from 128x96 to 128x48"):
        list(read_frames(footage_at(folder)))


def test_a_picture_that_is_none_is_damage(folder: Path) -> None:
    (folder / "frame-0008.png").write_bytes(b"#EXTM3U\nfile:///etc/passwd\n")
    numbers = [number_of(frame.pixels) for frame in read_frames(footage_at(folder))]
    assert numbers == list(range(1, 12))
    for path in folder.glob("frame-*.png"):
        path.write_bytes(b"This is a letter.")
    with pytest.raises(DamagedVideoError):
        list(read_frames(footage_at(folder)))


def test_a_sequence_is_not_a_picture(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MegafsError, match=r"out\.png is a picture, but .* has 12 frames"):
        check_output(tmp_path / "out.png", like=footage_at(folder))


@pytest.mark.skipif(os.name != "posix", reason="pipes with names are POSIX's")
def test_only_files_are_opened(folder: Path) -> None:
    (folder / "frame-0020.png").symlink_to("/dev/zero")
    os.mkfifo(folder / "frame-0021.png")
    assert len(list(read_frames(footage_at(folder)))) == 12


def test_deep_pictures_are_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        deep = np.full((48, 64), 20_000 + 10_000 * number, np.uint16)
        Image.fromarray(deep).save(tmp_path / "in" / f"{number}.png")
    levels = [int(frame.pixels.mean()) for frame in read_frames(footage_at(tmp_path / "in"))]
    assert levels == [78, 117, 156]
