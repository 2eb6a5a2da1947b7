"""A pipe to another program gets the whole clip as it comes."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import av
import pytest

from megafs_video.errors import CodecError, OutputError
from megafs_video.video.read import read_frames
from megafs_video.video.write import VideoWriter, check_output
from tests.clips import make_clip, make_subtitled, packets_of, pts_of


def pump(fd: int, into: Path) -> threading.Thread:
    """Another program: reads a pipe to its end into a file."""

    def read() -> None:
        with os.fdopen(fd, "rb") as pipe:
            into.write_bytes(pipe.read())

    thread = threading.Thread(target=read)
    thread.start()
    return thread


def test_a_pipe_gets_pictures_sound_and_subtitles(tmp_path: Path) -> None:
    source = make_subtitled(tmp_path / "in.mkv")
    reader, pen = os.pipe()
    thread = pump(reader, tmp_path / "out.mkv")
    with os.fdopen(pen, "wb") as stream, VideoWriter(stream, like=source) as writer:
        for frame in read_frames(source):
            writer.write(frame)
    thread.join()
    assert writer.notes == []
    assert pts_of(tmp_path / "out.mkv") == pts_of(source)
    assert packets_of(tmp_path / "out.mkv") == packets_of(source)
    assert packets_of(tmp_path / "out.mkv", "subtitle") == packets_of(source, "subtitle")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.format.name == "matroska,webm"


def test_sound_before_zero_is_said_though_nothing_is_read_back(
    tmp_path: Path, constant_clip: Path
) -> None:
    reader, pen = os.pipe()
    thread = pump(reader, tmp_path / "out.mkv")
    with os.fdopen(pen, "wb") as stream, VideoWriter(stream, like=constant_clip) as writer:
        for frame in read_frames(constant_clip):
            writer.write(frame)
    thread.join()
    assert any("audio begins 0.021 s before 0" in note for note in writer.notes)


def test_a_reader_that_ends_is_said(constant_clip: Path) -> None:
    reader, pen = os.pipe()
    os.close(reader)
    stream = os.fdopen(pen, "wb", buffering=0)
    with (
        pytest.raises(OutputError, match="the program that reads the output has ended"),
        VideoWriter(stream, like=constant_clip) as writer,
    ):
        for frame in read_frames(constant_clip):
            writer.write(frame)
    stream.close()


def test_a_choice_that_does_not_fit_is_refused_before_a_byte_is_written(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", 2)
    with (tmp_path / "out").open("wb") as stream:
        check_output(stream, like=clip, codec="ffv1")
        with pytest.raises(CodecError, match="codec betamax is unknown"):
            check_output(stream, like=clip, codec="betamax")
    assert (tmp_path / "out").read_bytes() == b""
