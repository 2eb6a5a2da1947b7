"""Sound packets are told apart by time and payload."""

from __future__ import annotations

from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest

from megafs_video.errors import InputNotFoundError, VideoError
from megafs_video.video.packets import SoundPacket, sound_packets
from tests.clips import make_clip, make_sound_only, packets_of


def test_every_packet_comes_with_its_time_and_payload(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 10, has_sound=True)
    wanted = [
        SoundPacket(start, sha256(payload).hexdigest()) for start, payload in packets_of(clip)
    ]
    assert list(sound_packets(clip)) == wanted
    assert len(wanted) > 10


def test_a_clip_without_sound_has_no_packets(tmp_path: Path) -> None:
    assert list(sound_packets(make_clip(tmp_path / "clip.mp4", 2))) == []


def test_a_track_that_is_not_there_has_no_packets(tmp_path: Path) -> None:
    assert list(sound_packets(make_sound_only(tmp_path / "tone.mp4"), 1)) == []


def test_time_and_payload_make_the_difference() -> None:
    packet = SoundPacket(Fraction(1, 2), "a" * 64)
    assert packet == SoundPacket(Fraction(1, 2), "a" * 64)
    assert packet != SoundPacket(Fraction(1, 3), "a" * 64)
    assert packet != SoundPacket(Fraction(1, 2), "b" * 64)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match=r"none\.mp4 does not exist"):
        next(sound_packets(tmp_path / "none.mp4"))


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "words.mp4"
    path.write_text("not a video")
    with pytest.raises(VideoError, match="is not a video"):
        next(sound_packets(path))
