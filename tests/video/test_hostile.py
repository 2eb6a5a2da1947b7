"""Damaged and malicious files end in a clear error or a correct result."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from megafs_video.errors import InputNotFoundError, MegafsError, VideoError
from megafs_video.video import clip as clip_module
from megafs_video.video.picture import read_picture
from megafs_video.video.probe import probe
from megafs_video.video.read import read_frames
from tests.clips import make_clip, numbered_picture
from tests.hostile import NUM_BY_HAND, make_hostile, make_seeds

# Every way of harming each kind of file once is 13 · 9; benchmarks/hostile.py goes on.
NUM_HARMED = 60


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_seeds(tmp_path_factory.mktemp("seeds"))


def test_every_file_is_read_or_refused_in_words(tmp_path: Path, seeds: list[Path]) -> None:
    for number in range(NUM_BY_HAND + NUM_HARMED):
        path = make_hostile(number, seeds, tmp_path)
        with suppress(MegafsError):  # anything else is a bug
            for _ in islice(read_frames(path), 20):
                pass
        with suppress(MegafsError):
            read_picture(path)


def test_a_number_always_makes_the_same_file(tmp_path: Path, seeds: list[Path]) -> None:
    first = make_hostile(77, seeds, tmp_path).read_bytes()
    assert make_hostile(77, seeds, tmp_path).read_bytes() == first
    assert make_hostile(78, seeds, tmp_path).read_bytes() != first


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {other}\n",
    ],
)
def test_a_list_does_not_open_the_files_that_it_names(tmp_path: Path, text: str) -> None:
    make_clip(tmp_path / "other.ts", 3)
    listed = tmp_path / "list.mp4"
    listed.write_text(text.format(other="other.ts"))
    with pytest.raises(VideoError, match="is not a video"):
        probe(listed)


def test_a_name_is_a_file_whatever_it_looks_like(tmp_path: Path) -> None:
    make_clip(tmp_path / "part.ts", 3)
    with pytest.raises(InputNotFoundError, match="does not exist"):
        probe(Path(f"concat:{tmp_path / 'part.ts'}|{tmp_path / 'part.ts'}"))


def test_what_is_no_ordinary_file_is_refused(tmp_path: Path) -> None:
    endless = tmp_path / "endless.mp4"
    os.mkfifo(endless)
    with pytest.raises(VideoError, match="is not an ordinary file"):
        probe(endless)


def test_pictures_beyond_all_measure_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 2)
    monkeypatch.setattr(clip_module, "MAX_FRAME_PIXELS", 128 * 96 - 1)
    with pytest.raises(VideoError, match="has pictures of 128x96, more than 12,287 pixels"):
        probe(clip)


@pytest.mark.parametrize(("orientation", "size"), [(1, (128, 96)), (6, (96, 128)), (7, (96, 128))])
def test_a_photograph_with_camera_data_is_read_upright(
    tmp_path: Path, orientation: int, size: tuple[int, int]
) -> None:
    photo = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x112], exif[0x010F] = orientation, "A camera"
    Image.fromarray(numbered_picture(5)).save(photo, exif=exif, quality=95)
    info = probe(photo)
    assert (info.width, info.height) == size
    [frame] = read_frames(photo)
    assert np.abs(frame.pixels.astype(int) - read_picture(photo)).mean() < 3
