"""Pictures that are written in pieces: nothing is lost between them, whoever writes the next."""

from __future__ import annotations

import errno
import gc
import json
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from megafs_video.errors import DiskFullError, OutputError, ResumeError
from megafs_video.values import Frame
from megafs_video.video.landing import name_durably
from megafs_video.video.read import read_frames
from megafs_video.video.write import VideoWriter, Written
from tests.clips import make_clip, variable_pts

NUM_FRAMES = 20
CUTS = (6, 7, 15)
EVERY_CODEC = [
    *((".mp4", "h264"), (".mp4", "hevc"), (".mp4", "av1"), (".mp4", "vp9"), (".mov", "prores")),
    *((".mkv", "h264"), (".mkv", "hevc"), (".mkv", "ffv1"), (".webm", "vp9"), (".webm", "av1")),
]
FAST = {"h264": "medium", "hevc": "ultrafast", "av1": "10", "vp9": "8"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Uneven times: an encoder's own decoding times would cross at the cuts."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    pts = [index + tick // 40 for index, tick in enumerate(variable_pts(NUM_FRAMES))]
    return make_clip(path, NUM_FRAMES, pts=pts, has_sound=True)


@pytest.fixture(scope="module")
def frames(clip: Path) -> list[Frame]:
    return list(read_frames(clip))


def settings(clip: Path, codec: str) -> dict[str, Any]:
    return {"like": clip, "codec": codec, "preset": FAST.get(codec)}


def write_whole(frames: Sequence[Frame], output: Path, **settings: Any) -> Path:
    with VideoWriter(output, **settings) as writer:
        for frame in frames:
            writer.write(frame)
    return output


def write_in_pieces(
    frames: Sequence[Frame], output: Path, folder: Path, cuts: Sequence[int], **settings: Any
) -> Path:
    """After each cut goes on another writer, as if the one before it had been killed."""
    folder.mkdir()
    written: Written | None = None
    for begin, end in zip([0, *cuts], cuts, strict=False):
        writer = VideoWriter(output, work_folder=folder, written=written, **settings)
        for frame in frames[begin:end]:
            writer.write(frame)
        written = writer.finish_segment(frames[end])
    with VideoWriter(output, work_folder=folder, written=written, **settings) as writer:
        for frame in frames[cuts[-1] if cuts else 0 :]:
            writer.write(frame)
    return output


def packets(path: Path) -> list[tuple[Any, ...]]:
    """Everything of every packet, stream by stream."""
    with av.open(str(path)) as container:
        found = [
            (p.stream_index, p.pts, p.dts, p.duration, p.is_keyframe, bytes(p))
            for p in container.demux()
            if p.size
        ]
    return sorted(found, key=lambda packet: packet[0])


def shown(path: Path) -> list[tuple[int | None, bool]]:
    with av.open(str(path)) as container:
        return [(frame.pts, frame.key_frame) for frame in container.decode(video=0)]


@pytest.mark.parametrize(("suffix", "codec"), EVERY_CODEC)
def test_pieces_make_the_same_file(
    tmp_path: Path, clip: Path, frames: list[Frame], suffix: str, codec: str
) -> None:
    chosen = settings(clip, codec)
    whole = write_whole(frames, tmp_path / f"whole{suffix}", **chosen)
    one = write_in_pieces(frames, tmp_path / f"one{suffix}", tmp_path / "1", (), **chosen)
    assert packets(one) == packets(whole)

    several = write_in_pieces(frames, tmp_path / f"four{suffix}", tmp_path / "4", CUTS, **chosen)
    assert [pts for pts, _ in shown(several)] == [pts for pts, _ in shown(whole)]
    assert all(shown(several)[cut][1] for cut in CUTS)
    pictures = [packet for packet in packets(several) if packet[0] == 0]
    sounds = [packet for packet in packets(several) if packet[0] == 1]
    assert sounds == [packet for packet in packets(whole) if packet[0] == 1]
    # With sound before zero, Matroska's own reading of times begins with some it does not know.
    decoded = [dts for _, _, dts, *_ in pictures if dts is not None]
    assert decoded == sorted(set(decoded))
    assert all(dts <= pts for _, pts, dts, *_ in pictures if dts is not None)


def test_pieces_appear_whole_and_only_the_last_is_lost(
    tmp_path: Path, clip: Path, frames: list[Frame]
) -> None:
    folder, output = tmp_path / "work", tmp_path / "out.mp4"
    folder.mkdir()
    with (
        pytest.raises(KeyboardInterrupt),
        VideoWriter(output, like=clip, work_folder=folder) as writer,
    ):
        for frame in frames[:8]:
            writer.write(frame)
        assert [path.suffix for path in folder.iterdir()] == [".part"]
        writer.finish_segment(frames[8])
        writer.write(frames[8])
        writer.write(frames[9])
        assert {path.name for path in folder.iterdir()} == {"000000.packets", "000001.part"}
        raise KeyboardInterrupt
    assert [path.name for path in folder.iterdir()] == ["000000.packets"]
    assert not output.exists()


def test_a_container_that_refuses_does_so_at_the_first_frame(
    tmp_path: Path, clip: Path, frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EINVAL, "no such stream here")

    monkeypatch.setattr("megafs_video.video.segments.MovieFile", refuse)
    with (
        pytest.raises(OutputError, match="no such stream here"),
        VideoWriter(tmp_path / "out.mp4", like=clip, work_folder=tmp_path) as writer,
    ):
        writer.write(frames[0])
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_what_was_finished(
    tmp_path: Path, clip: Path, frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = tmp_path / "work"
    folder.mkdir()
    with (
        pytest.raises(DiskFullError, match=r"out\.mp4 could not be written"),
        VideoWriter(tmp_path / "out.mp4", like=clip, work_folder=folder) as writer,
    ):
        writer.write(frames[0])
        writer.finish_segment(frames[1])
        writer.write(frames[1])
        monkeypatch.setattr(os, "fsync", full)
        writer.finish_segment(frames[2])
    assert [path.name for path in folder.iterdir()] == ["000000.packets"]


@pytest.mark.parametrize("damage", ["cut", "index", "count", "empty"])
def test_a_damaged_piece_is_named(
    tmp_path: Path, clip: Path, frames: list[Frame], damage: str
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    writer = VideoWriter(tmp_path / "out.mp4", like=clip, work_folder=folder)
    writer.write(frames[0])
    written = writer.finish_segment(frames[1])
    piece = folder / "000000.packets"
    raw = piece.read_bytes()
    index = json.dumps([[0, 0, 1, True, 5]]).encode()
    content = {
        "cut": raw[: len(raw) // 2],
        "index": raw[:-20] + b"}" + raw[-19:],
        "count": raw[:3] + index + len(index).to_bytes(8, "little"),
        "empty": b"",
    }
    piece.write_bytes(content[damage])
    with (
        pytest.raises(ResumeError, match=r"000000\.packets is damaged; delete the folder"),
        VideoWriter(tmp_path / "out.mp4", like=clip, work_folder=folder, written=written) as writer,
    ):
        writer.write(frames[1])
    assert not (tmp_path / "out.mp4").exists()


def test_a_name_is_given_in_one_step(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "new").write_text("new")
    name_durably(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old").read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 1


def encoders_alive() -> list[av.VideoCodecContext]:
    """Encoders that somebody holds, of this test or an earlier one."""
    # The type and not the class, which a lazy object of torch's would warn about.
    contexts = [each for each in gc.get_objects() if type(each) is av.VideoCodecContext]
    return [each for each in contexts if each.is_encoder and each.name == "libx264"]


def test_the_encoder_of_a_finished_piece_is_gone_at_once(
    tmp_path: Path, clip: Path, frames: list[Frame]
) -> None:
    """Left to the garbage collector, an hour of pieces would hold some gigabytes."""
    writer = VideoWriter(tmp_path / "out.mp4", like=clip, work_folder=tmp_path)
    gc.collect()
    gc.disable()
    try:
        num_before = len(encoders_alive())
        for before, following in pairwise(frames[:6]):
            writer.write(before)
            writer.finish_segment(following)
        assert len(encoders_alive()) <= num_before
    finally:
        gc.enable()
