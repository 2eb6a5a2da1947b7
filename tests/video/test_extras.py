"""What pictures carry beside their samples is kept, or its loss is said."""

from __future__ import annotations

import gc
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from megafs_video.video.extras import extras_of
from megafs_video.video.read import read_frames
from megafs_video.video.write import VideoWriter
from tests.clips import make_clip, numbered_picture

CAPTIONS = "closed captions"
HDR10_PLUS = "the dynamic metadata of HDR10+"

# ATSC A/53: country, provider, "GA94", captions, one triplet of CEA-608.
_CAPTION = bytes.fromhex("b50031") + b"GA94" + bytes.fromhex("0341ff fc9420 ff")


def dynamic_hdr() -> bytes:
    """ST 2094-40 as ITU-T T.35 carries it, with one window that says little."""
    fields = [(0xB5, 8), (0x003C, 16), (0x0001, 16), (4, 8), (1, 8), (1, 2), (1000, 27), (0, 1)]
    fields += [(50_000, 17)] * 3 + [(10_000, 17), (0, 4), (0, 10), (0, 1), (0, 1), (0, 1)]
    bits = "".join(f"{value:0{width}b}" for value, width in fields)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def message(payload: bytes, is_hevc: bool) -> bytes:
    """An SEI unit (type 4, user data of T.35) as it stands in a byte stream."""
    raw = bytes([4, len(payload)]) + payload + b"\x80"
    guarded = raw.replace(b"\0\0\1", b"\0\0\3\1").replace(b"\0\0\0", b"\0\0\3\0")
    return b"\0\0\0\1" + (b"\x4e\x01" if is_hevc else b"\x06") + guarded


def make_carrying(path: Path, payload: bytes, encoder: str, *, first: int = 0) -> Path:
    """60 frames at 25 a second; from frame ``first`` on each carries a message."""
    is_hevc = encoder == "libx265"
    quiet = {"x265-params": "log-level=error:bframes=0"}
    lent = av.open(os.devnull, "w", format="null")
    raw: Any = lent.add_stream(encoder, rate=25, options=quiet if is_hevc else {"bf": "0"})
    raw.width, raw.height = 128, 96
    raw.pix_fmt = "yuv420p10le" if is_hevc else "yuv420p"
    with av.open(str(path), "w", format="nut") as container:
        copy: Any = container.add_stream("hevc" if is_hevc else "h264", rate=25)
        copy.width, copy.height, copy.pix_fmt = raw.width, raw.height, raw.pix_fmt
        packets = []
        for number in range(60):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            packets += raw.encode(frame.reformat(format=raw.pix_fmt))
        for packet in [*packets, *raw.encode(None)]:
            data = bytes(packet)
            unit = message(payload, is_hevc) if packet.pts >= first else b""
            # Parameter sets come first; a message stands before the picture's slices.
            kind = b"\0\0\1\x65" if packet.is_keyframe else b"\0\0\1"
            place = data.index(kind) if not is_hevc and packet.is_keyframe else 0
            place = place - 1 if place and data[place - 1] == 0 else place
            marked: Any = av.Packet(data[:place] + unit + data[place:])
            marked.pts, marked.dts, marked.duration = packet.pts, packet.dts, 1
            marked.time_base, marked.is_keyframe = Fraction(1, 25), packet.is_keyframe
            marked.stream = copy
            container.mux(marked)
    lent.close()
    return path


def rewrite(source: Path, output: Path, **choices: Any) -> list[str]:
    with VideoWriter(output, like=source, **choices) as writer:
        for frame in read_frames(source):
            writer.write(frame)
    return writer.notes


def carried(path: Path) -> set[str]:
    with av.open(str(path)) as container:
        return set().union(*(extras_of(frame) for frame in container.decode(video=0)))


def lost(what: str) -> str:
    return f"the pictures carry {what}, which this encoder does not write: left out"


@pytest.mark.parametrize("first", [0, 40])
def test_captions_are_kept_by_an_encoder_that_writes_them(tmp_path: Path, first: int) -> None:
    source = make_carrying(tmp_path / "in.nut", _CAPTION, "libx264", first=first)
    assert carried(source) == {CAPTIONS}
    assert rewrite(source, tmp_path / "out.mp4", codec="h264") == []
    assert carried(tmp_path / "out.mp4") == {CAPTIONS}


def test_captions_that_are_lost_are_said(tmp_path: Path) -> None:
    source = make_carrying(tmp_path / "in.nut", _CAPTION, "libx264", first=30)
    assert lost(CAPTIONS) in rewrite(source, tmp_path / "out.webm", codec="vp9", preset="8")
    assert carried(tmp_path / "out.webm") == set()
    # None stands in what is cut out.
    with VideoWriter(tmp_path / "cut.mp4", like=source, end_seconds=0.5) as writer:
        for frame in read_frames(source, end_seconds=0.5):
            writer.write(frame)
    assert writer.notes == []


def test_dynamic_hdr_is_said_and_not_dropped_in_silence(tmp_path: Path) -> None:
    source = make_carrying(tmp_path / "in.nut", dynamic_hdr(), "libx265")
    assert carried(source) == {HDR10_PLUS}
    assert rewrite(source, tmp_path / "out.mp4") == [lost(HDR10_PLUS)]
    with (tmp_path / "stream").open("wb") as stream, VideoWriter(stream, like=source) as writer:
        for frame in read_frames(source):
            writer.write(frame)
    assert any("not every encoder writes: look at what arrives" in note for note in writer.notes)


def test_frames_that_were_looked_at_do_not_pile_up(tmp_path: Path) -> None:
    """By themselves they would stay until the garbage collector comes, whenever that is."""
    clip = make_clip(tmp_path / "clip.mp4", 20, time_base=Fraction(1))  # one look each
    gc.collect()
    before = count_frames()
    gc.disable()
    try:
        with VideoWriter(tmp_path / "out.mp4", like=clip) as writer:
            for frame in read_frames(clip):
                writer.write(frame)
            kept = count_frames() - before
    finally:
        gc.enable()
    # Of the last look and the one before, the frame as it was decoded, and in other planes.
    assert kept <= 2 * 2 + 4


def count_frames() -> int:
    return sum(type(each) is av.VideoFrame for each in gc.get_objects())
