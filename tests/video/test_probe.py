"""A clip's facts, before anything is done with it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from megafs_video.errors import InputNotFoundError, TimeRangeError, VideoError
from megafs_video.video.probe import check_time_range, probe
from tests.clips import make_clip, make_sound_only, make_subtitled


def test_a_clip_is_described(constant_clip: Path) -> None:
    info = probe(constant_clip)
    assert (info.width, info.height, info.rotation_degrees) == (128, 96, 0)
    assert info.duration_seconds == pytest.approx(60 / 25)
    assert (info.num_frames, info.frame_rate) == (60, Fraction(25))
    assert (info.codec, info.pixel_format) == ("h264", "yuv420p")
    assert (info.audio_codecs, info.num_streams) == (("aac",), 2)
    assert info.start_seconds == 0.0


def test_the_size_is_the_upright_one(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "phone.mp4", 3, rotation_degrees=-90))
    assert (info.width, info.height) == (96, 128)
    assert (info.rotation_degrees, info.is_mirrored) == (90, False)


def test_a_mirrored_clip_says_so(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "selfie.mp4", 3, rotation_degrees=0, is_flipped=True))
    assert info.is_mirrored


def test_depth_and_every_stream_are_seen(tmp_path: Path) -> None:
    deep = probe(make_clip(tmp_path / "deep.mkv", 3, pixel_format="yuv420p10le"))
    assert (deep.bits_per_component, deep.pixel_format) == (10, "yuv420p10le")
    assert probe(make_subtitled(tmp_path / "clip.mkv")).num_streams == 3


def test_a_count_that_the_container_lacks_is_estimated(tmp_path: Path) -> None:
    assert probe(make_clip(tmp_path / "clip.mkv", 30)).num_frames == 30
    assert probe(make_clip(tmp_path / "clip.h264", 30)).num_frames is None


def test_what_cannot_be_described_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match=r"none\.mp4 does not exist"):
        probe(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("no video at all")
    with pytest.raises(VideoError, match="is not a video"):
        probe(tmp_path / "text.mp4")
    with pytest.raises(VideoError, match="has no video stream"):
        probe(make_sound_only(tmp_path / "sound.m4a"))


def test_an_empty_range_is_refused_before_the_clip_is_opened() -> None:
    with pytest.raises(TimeRangeError, match=r"3\.0 to 2\.0 s is empty"):
        check_time_range(3.0, 2.0)
    check_time_range(None, 2.0)
