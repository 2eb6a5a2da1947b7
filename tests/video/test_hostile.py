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
from megafs_video.video.write import VideoWriter
from tests.clips import make_clip, numbered_picture
from tests.hostile import (
    NUM_BY_HAND,
    box_ends,
    climbing_mkv,
    make_hostile,
    make_seeds,
    num_made_by_rule,
)

# Every way of harming each kind of file once is 13 · 9; benchmarks/hostile.py goes on.
NUM_HARMED = 60


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_seeds(tmp_path_factory.mktemp("seeds"))


def test_every_file_is_read_or_refused_in_words(tmp_path: Path, seeds: list[Path]) -> None:
    first_harmed = num_made_by_rule(seeds)
    numbers = [*range(NUM_BY_HAND), *range(first_harmed, first_harmed + NUM_HARMED)]
    for number in numbers:
        path = make_hostile(number, seeds, tmp_path)
        with suppress(MegafsError):  # anything else is a bug
            for _ in islice(read_frames(path), 20):
                pass
        with suppress(MegafsError):
            read_picture(path)


def test_a_number_always_makes_the_same_file(tmp_path: Path, seeds: list[Path]) -> None:
    number = num_made_by_rule(seeds) + 60
    first = make_hostile(number, seeds, tmp_path).read_bytes()
    assert make_hostile(number, seeds, tmp_path).read_bytes() == first
    assert make_hostile(number + 1, seeds, tmp_path).read_bytes() != first


def test_every_box_is_a_place_to_cut(seeds: list[Path]) -> None:
    for suffix, kinds in ((".mp4", (b"mdat", b"stsz")), (".mov", (b"trak", b"stco"))):
        seed = next(seed for seed in seeds if seed.suffix == suffix)
        ends = box_ends(seed)
        for kind in kinds:
            assert seed.read_bytes().index(kind) + 4 in ends
    mkv = next(seed for seed in seeds if seed.suffix == ".mkv")
    # A cluster's id has four bytes, its size at least one.
    cluster = mkv.read_bytes().index(bytes.fromhex("1f43b675"))
    assert any(cluster + 5 <= end <= cluster + 12 for end in box_ends(mkv))
    assert len(box_ends(mkv)) > 20


def test_names_that_climb_stay_names(tmp_path: Path, seeds: list[Path]) -> None:
    source = tmp_path / "climbing.mkv"
    source.write_bytes(climbing_mkv(seeds))
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    for name in ("out.mkv", "out.mp4"):
        with VideoWriter(outputs / name, like=source, codec="h264") as writer:
            for frame in read_frames(source):
                writer.write(frame)
    assert sorted(path.name for path in outputs.iterdir()) == ["out.mkv", "out.mp4"]
    assert not list(tmp_path.glob("*.sh"))
    assert any("metadata that mp4 does not know was left out: ../" in n for n in writer.notes)
    assert all(note.isprintable() for note in writer.notes)


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
