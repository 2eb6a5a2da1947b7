"""Interlaced frames become progressive at their own times; others are left alone."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from megafs_video.errors import VideoError
from megafs_video.values import UInt8Array
from megafs_video.video.fields import progressive
from megafs_video.video.read import ReadLog, read_frames
from tests.clips import make_clip, number_of, numbered_picture, pts_of


def moving_bar(moment: int) -> UInt8Array:
    """A bright bar that moves four pixels from one moment to the next."""
    picture = np.full((96, 128, 3), 40, np.uint8)
    left = 20 + 4 * moment
    picture[:, left : left + 16] = 200
    return picture


def make_interlaced(path: Path, num_frames: int = 8, *, pts: list[int] | None = None) -> Path:
    """Odd rows show one moment, even rows the next: bottom field first, as the encoder says."""
    with av.open(str(path), "w") as container:
        options = {"crf": "4", "flags": "+ildct+ilme"}
        stream: Any = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for index in range(num_frames):
            woven = moving_bar(2 * index)
            woven[::2] = moving_bar(2 * index + 1)[::2]
            frame = av.VideoFrame.from_ndarray(woven, format="rgb24")
            frame.pts = 40 * index if pts is None else pts[index]
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def combing(pixels: UInt8Array) -> float:
    """How much rows differ from the mean of their neighbours, levels."""
    rows = pixels.astype(float)
    return float(np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean())


def test_interlaced_frames_lose_their_combs_and_keep_their_times(tmp_path: Path) -> None:
    pts = [0, 40, 80, 130, 170, 250, 290, 330]
    source = make_interlaced(tmp_path / "in.mp4", pts=pts)
    log = ReadLog()
    frames = list(read_frames(source, log=log))
    assert [frame.pts * frame.time_base for frame in frames] == pts_of(source)
    assert log.num_deinterlaced_frames == 8
    for index, frame in enumerate(frames):
        assert combing(frame.pixels) < 1  # 8 as it was woven
        error = np.abs(frame.pixels.astype(int) - moving_bar(2 * index)).mean()
        assert error < 3  # the earlier moment; the later one is 10 off


def test_a_cut_of_an_interlaced_clip_begins_in_time(tmp_path: Path) -> None:
    source = make_interlaced(tmp_path / "in.mp4")
    cut = list(read_frames(source, start_seconds=0.12, end_seconds=0.2))
    assert [float(frame.pts * frame.time_base) for frame in cut] == [0.12, 0.16]


def test_progressive_frames_are_the_same_objects() -> None:
    frames = [av.VideoFrame(16, 16, "yuv420p") for _ in range(3)]
    assert list(progressive(iter(frames), Fraction(1, 25))) == frames
    assert list(progressive(iter([]), Fraction(1, 25))) == []


def test_a_clip_that_changes_its_size_is_refused(tmp_path: Path) -> None:
    small = [numbered_picture(number, 48, 128) for number in range(5)]
    first = make_clip(tmp_path / "a.ts", 5)
    second = make_clip(tmp_path / "b.ts", pictures=small, pts=range(5, 10))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    frames = read_frames(joined)
    assert number_of(next(frames).pixels) == 0
    with pytest.raises(VideoError, match="changes its size from 128x96 to 128x48 on the way"):
        list(frames)
