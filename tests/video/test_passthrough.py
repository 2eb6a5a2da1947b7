"""Every stream that is not the picture goes along packet for packet, or is said not to."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from megafs_video.video.read import read_frames
from megafs_video.video.write import VideoWriter
from tests.clips import make_clip, numbered_picture

TRACKS = {  # codec: (language, disposition, samples a packet, format)
    "libopus": ("eng", Disposition.default, 960, "fltp"),
    "aac": ("deu", Disposition(0), 1024, "fltp"),
    "flac": ("fra", Disposition.comment, 4096, "s16"),
    "ac3": ("jpn", Disposition.hearing_impaired, 1536, "fltp"),
    "pcm_s16le": ("ita", Disposition.visual_impaired, 960, "s16"),
}
ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,16

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.20,0:00:00.60,Default,,0,0,0,,Hello
"""
FONT = b"\0\1\0\0 not really a font"


def rewrite(source: Path, output: Path) -> list[str]:
    preset = "8" if output.suffix == ".webm" else "ultrafast"
    with VideoWriter(output, like=source, preset=preset) as writer:
        for frame in read_frames(source):
            writer.write(frame)
    return writer.notes


def play(container: Any, stream: Any, num_packets: int, samples: int, format: str) -> None:
    """A tone in a stereo track."""
    for start in range(0, num_packets * samples, samples):
        tone = 0.3 * np.sin((start + np.arange(samples)) / 17)
        if format == "s16":
            levels = np.repeat((tone * 30_000).astype(np.int16), 2)[None]  # [1, 2 · samples]
        else:
            levels = np.stack([tone, -tone]).astype(np.float32)  # [2, samples]
        frame = av.AudioFrame.from_ndarray(levels, format=format, layout="stereo")
        frame.pts, frame.rate, frame.time_base = start, 48_000, Fraction(1, 48_000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def rich_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five sound tracks, two of subtitles, a font, chapters and metadata."""
    folder = tmp_path_factory.mktemp("rich")
    (folder / "words.srt").write_text("1\n00:00:00,200 --> 00:00:00,600\nHello\n\n")
    (folder / "words.ass").write_text(ASS)
    picture = make_clip(
        folder / "picture.mkv", 10, pts=range(0, 400, 40), time_base=Fraction("1/1000")
    )
    sources = [av.open(str(path)) for path in (picture, folder / "words.srt", folder / "words.ass")]
    path = folder / "rich.mkv"
    with av.open(str(path), "w") as container:
        copies = [
            container.add_stream_from_template(source.streams[0], opaque=True) for source in sources
        ]
        copies[1].metadata["language"], copies[1].disposition = "eng", Disposition.forced
        tracks: list[Any] = []
        for codec, (language, disposition, _, _) in TRACKS.items():
            track = container.add_stream(codec, rate=48_000, layout="stereo")
            track.metadata.update(language=language, title=f"Track {language}")
            track.disposition = disposition
            tracks.append(track)
        container.add_attachment("letters.ttf", "font/ttf", FONT)
        container.metadata.update(title="A film", comment="for a test")
        container.set_chapters(
            [
                {
                    "id": 1,
                    "start": 0,
                    "end": 200,
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": "one"},
                },
                {
                    "id": 2,
                    "start": 200,
                    "end": 400,
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": "two"},
                },
            ]
        )
        for source, copy in zip(sources, copies, strict=True):
            for packet in source.demux():
                if packet.size:
                    packet.stream = copy
                    container.mux(packet)
            source.close()
        for track, (_, _, samples, format) in zip(tracks, TRACKS.values(), strict=True):
            play(container, track, 12, samples, format)
    return path


def streams_of(path: Path) -> list[tuple[str, str, str, int]]:
    """Kind, codec, language and disposition of every stream but the picture."""
    with av.open(str(path)) as container:
        return [
            (s.type, s.name or "", s.metadata.get("language", ""), int(s.disposition))
            for s in container.streams
            if s.type != "video"
        ]


def packets_in(path: Path) -> dict[str, list[tuple[Fraction, bytes]]]:
    """Time and payload of every packet of sound and subtitles, by codec."""
    found: dict[str, list[tuple[Fraction, bytes]]] = {}
    with av.open(str(path)) as container:
        streams: list[Any] = [*container.streams.audio, *container.streams.subtitles]
        for packet in container.demux(streams):
            if packet.size:
                time = packet.pts * packet.time_base
                found.setdefault(packet.stream.name, []).append((time, bytes(packet)))
    return found


def test_a_rich_clip_goes_along_whole(tmp_path: Path, rich_clip: Path) -> None:
    output = tmp_path / "out.mkv"
    assert rewrite(rich_clip, output) == []
    assert len(streams_of(rich_clip)) == 8
    assert sorted(streams_of(output)) == sorted(streams_of(rich_clip))
    assert packets_in(output) == packets_in(rich_clip)
    with av.open(str(rich_clip)) as before, av.open(str(output)) as after:
        [font] = [s for s in after.streams if s.type == "attachment"]
        assert (font.name, font.mimetype, font.data) == ("letters.ttf", "font/ttf", FONT)
        assert after.chapters() == before.chapters()
        for key in ("title", "COMMENT"):
            assert after.metadata[key] == before.metadata[key]
        assert [s.metadata.get("title") for s in after.streams.audio] == [
            s.metadata.get("title") for s in before.streams.audio
        ]


@pytest.mark.parametrize(
    ("suffix", "kept", "left_out", "converted"),
    [
        (".mp4", {"opus", "aac", "flac", "ac3"}, {"pcm_s16le", "letters.ttf"}, "mov_text"),
        (".mov", {"aac", "ac3", "pcm_s16le"}, {"opus", "flac", "letters.ttf"}, "mov_text"),
        (".webm", {"opus"}, {"aac", "flac", "ac3", "pcm_s16le", "letters.ttf"}, "webvtt"),
    ],
)
def test_each_container_takes_what_it_can_and_the_rest_is_said(
    tmp_path: Path,
    rich_clip: Path,
    suffix: str,
    kept: set[str],
    left_out: set[str],
    converted: str,
) -> None:
    output = tmp_path / f"out{suffix}"
    notes = rewrite(rich_clip, output)
    before, after = packets_in(rich_clip), packets_in(output)
    assert set(after) == kept | {converted}
    for codec in kept:
        assert [payload for _, payload in after[codec]] == [payload for _, payload in before[codec]]
    for codec in left_out:
        assert any(f"({codec}) was left out" in note for note in notes)
    assert sum(f"was converted to {converted}" in note for note in notes) == 2
    by_language = {language: what for kind, _, language, what in streams_of(output)}
    is_marked = bool(by_language.get("jpn", 0) & int(Disposition.hearing_impaired))
    is_said = any("is marked hearing impaired" in note for note in notes)
    assert (is_marked or is_said) == ("ac3" in kept)
    with av.open(str(output)) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["one", "two"]


def make_with_data(path: Path) -> Path:
    """A transport stream with ten packets of KLV beside the picture, as drones write it."""
    with av.open(str(path), "w") as container:
        picture: Any = container.add_stream("libx264", rate=25)
        picture.width, picture.height, picture.pix_fmt = 128, 96, "yuv420p"
        data: Any = container.add_data_stream("klv")
        data.time_base = Fraction(1, 90_000)
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number), format="rgb24")
            frame.pts = number
            container.mux(picture.encode(frame))
            packet: Any = av.Packet(b"\x06\x0e\x2b\x34" + bytes([number]) * 20)
            packet.stream, packet.time_base = data, Fraction(1, 90_000)
            packet.pts = packet.dts = number * 3600
            container.mux(packet)
        container.mux(picture.encode(None))
    return path


def data_in(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(data=0) if packet.size]


def test_data_is_copied_where_it_fits_and_else_said(tmp_path: Path) -> None:
    source = make_with_data(tmp_path / "drone.ts")
    assert rewrite(source, tmp_path / "out.mov") == []
    assert data_in(tmp_path / "out.mov") == data_in(source)
    assert len(data_in(source)) == 10
    notes = rewrite(source, tmp_path / "out.mkv")
    assert any("data stream #1 (klv) was left out: matroska cannot hold it" in n for n in notes)


def test_a_time_code_stays_one(tmp_path: Path) -> None:
    source = tmp_path / "in.mov"
    with av.open(str(source), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.metadata["timecode"] = "01:00:00:00"
        frame = av.VideoFrame.from_ndarray(numbered_picture(1), format="rgb24")
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert rewrite(source, tmp_path / "out.mov") == []
    with av.open(str(tmp_path / "out.mov")) as container:
        assert [s.type for s in container.streams] == ["video", "data"]
        assert container.streams.video[0].metadata["timecode"] == "01:00:00:00"


def test_a_codec_that_nobody_knows_is_left_out_and_said(tmp_path: Path) -> None:
    source = tmp_path / "unknown.mov"
    with av.open(str(source), "w") as container:
        picture: Any = container.add_stream("libx264", rate=25)
        picture.width, picture.height, picture.pix_fmt = 128, 96, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=48_000, layout="stereo")
        frame = av.VideoFrame.from_ndarray(numbered_picture(1), format="rgb24")
        frame.pts = 0
        container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        play(container, sound, 5, 960, "s16")
    source.write_bytes(source.read_bytes().replace(b"sowt", b"zzzz"))
    notes = rewrite(source, tmp_path / "out.mkv")
    assert any("audio stream #1 (unknown codec) was left out" in note for note in notes)
