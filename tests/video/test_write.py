"""What is written is the input with other pictures: times, sound and the rest stay."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from megafs_video.errors import CodecError, DiskFullError, OutputError, TimeRangeError
from megafs_video.values import Frame
from megafs_video.video.grading import X265, Grading
from megafs_video.video.movie import MovieFile
from megafs_video.video.probe import probe
from megafs_video.video.read import read_frames
from megafs_video.video.write import VideoWriter, check_output
from tests.clips import (
    make_clip,
    make_subtitled,
    number_of,
    numbered_picture,
    packets_of,
    pts_of,
    variable_pts,
)


def rewrite(source: Path, output: Path, **choices: object) -> list[str]:
    """Read a clip and write it again; what the writer had to note."""
    span = {k: v for k, v in choices.items() if k in ("start_seconds", "end_seconds")}
    with VideoWriter(output, like=source, **choices) as writer:  # type: ignore[arg-type]
        for frame in read_frames(source, **span):  # type: ignore[arg-type]
            writer.write(frame)
    return writer.notes


def numbers_in(path: Path) -> list[int]:
    return [number_of(frame.pixels) for frame in read_frames(path)]


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_constant_rate_clip_keeps_times_duration_and_sound(
    tmp_path: Path, constant_clip: Path
) -> None:
    output = tmp_path / "out.mp4"
    assert rewrite(constant_clip, output) == []
    assert numbers_in(output) == list(range(60))
    assert pts_of(output) == pts_of(constant_clip)
    assert packets_of(output) == packets_of(constant_clip)
    assert probe(output).duration_seconds == probe(constant_clip).duration_seconds
    assert files_in(tmp_path) == ["out.mp4"]


def test_a_variable_rate_clip_keeps_every_timestamp(tmp_path: Path, variable_clip: Path) -> None:
    output = tmp_path / "out.mp4"
    rewrite(variable_clip, output)
    before = [(frame.pts, frame.time_base) for frame in read_frames(variable_clip)]
    assert [(frame.pts, frame.time_base) for frame in read_frames(output)] == before
    assert pts_of(output) == [Fraction(tick, 1000) for tick in variable_pts(60)]
    assert packets_of(output) == packets_of(variable_clip)
    assert probe(output).duration_seconds == probe(variable_clip).duration_seconds


def test_a_late_start_between_two_milliseconds_is_kept_exactly(tmp_path: Path) -> None:
    pts = [1001 * (number + 2) for number in range(12)]
    source = make_clip(tmp_path / "in.ts", 12, pts=pts, time_base=Fraction(1, 30_000))
    rewrite(source, tmp_path / "out.mp4")
    assert (pts_of(source)[0] * 1000).denominator != 1
    assert pts_of(tmp_path / "out.mp4") == pts_of(source)


@pytest.mark.parametrize(
    ("suffix", "codec", "name"),
    [
        (".mp4", "auto", "h264"),
        (".m4v", "h264", "h264"),
        (".mov", "auto", "h264"),
        (".mkv", "auto", "h264"),
        (".mp4", "hevc", "hevc"),
        (".mov", "hevc", "hevc"),
        (".mkv", "hevc", "hevc"),
        (".mp4", "av1", "av1"),
        (".mkv", "av1", "av1"),
        (".mp4", "vp9", "vp9"),
        (".mkv", "vp9", "vp9"),
        (".mkv", "ffv1", "ffv1"),
        (".webm", "auto", "vp9"),
        (".webm", "av1", "av1"),
    ],
)
def test_every_codec_goes_into_the_containers_that_promise_it(
    tmp_path: Path, suffix: str, codec: str, name: str
) -> None:
    source = make_clip(tmp_path / "in.mkv", 12, pts=range(0, 480, 40), time_base=Fraction(1, 1000))
    output = tmp_path / f"out{suffix}"
    assert rewrite(source, output, codec=codec) == []
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == name
    assert numbers_in(output) == list(range(12))
    assert pts_of(output) == pts_of(source)


def test_a_container_with_coarser_time_says_so(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path / "in.mp4", 12, time_base=Fraction(1, 90_000), pts=range(0, 36000, 3000)
    )
    notes = rewrite(source, tmp_path / "out.mkv")
    assert notes == ["matroska counts time in steps of 1/1000 s: timestamps were rounded to it"]
    for before, after in zip(pts_of(source), pts_of(tmp_path / "out.mkv"), strict=True):
        assert abs(before - after) <= Fraction(1, 1000)


def test_sound_that_leads_moves_everything_alike_in_matroska_and_that_is_noted(
    tmp_path: Path, constant_clip: Path
) -> None:
    lead = packets_of(constant_clip)[0][0]
    assert lead == -Fraction(1024, 48_000)  # what an AAC encoder puts before the first sample
    notes = rewrite(constant_clip, tmp_path / "out.mkv")
    assert any("audio begins 0.021 s before 0" in note for note in notes)
    assert [payload for _, payload in packets_of(tmp_path / "out.mkv")] == [
        payload for _, payload in packets_of(constant_clip)
    ]
    for before, after in zip(pts_of(constant_clip), pts_of(tmp_path / "out.mkv"), strict=True):
        assert abs(before - lead - after) <= Fraction(1, 1000)  # Matroska counts milliseconds


@pytest.mark.parametrize("clip_name", ["constant_clip", "variable_clip"])
def test_a_cut_moves_every_stream_by_the_same_time(
    tmp_path: Path, clip_name: str, request: pytest.FixtureRequest
) -> None:
    source: Path = request.getfixturevalue(clip_name)
    output = tmp_path / "out.mp4"
    rewrite(source, output, start_seconds=0.81, end_seconds=1.7)
    times = [time for time in pts_of(source) if Fraction(81, 100) <= time < Fraction(17, 10)]
    assert pts_of(output) == [time - times[0] for time in times]
    kept = [(t, payload) for t, payload in packets_of(source) if times[0] <= t < Fraction(17, 10)]
    copied = packets_of(output)
    assert [payload for _, payload in copied] == [payload for _, payload in kept]
    for (before, _), (after, _) in zip(kept, copied, strict=True):
        assert abs(before - times[0] - after) <= Fraction(1, 2 * 48_000)  # half a sample


def test_a_cut_with_only_an_end_moves_nothing(tmp_path: Path, constant_clip: Path) -> None:
    output = tmp_path / "out.mp4"
    rewrite(constant_clip, output, end_seconds=1.0)
    assert pts_of(output) == pts_of(constant_clip)[:25]
    assert packets_of(output) == [p for p in packets_of(constant_clip) if p[0] < 1]


def test_a_clip_of_one_frame_keeps_its_duration(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "one.mp4", 1)
    rewrite(source, tmp_path / "out.mp4")
    assert pts_of(tmp_path / "out.mp4") == [0]
    assert probe(tmp_path / "out.mp4").duration_seconds == probe(source).duration_seconds


def test_subtitles_are_copied_where_they_fit(tmp_path: Path) -> None:
    source = make_subtitled(tmp_path / "in.mkv")
    assert rewrite(source, tmp_path / "out.mkv") == []
    assert packets_of(tmp_path / "out.mkv", "subtitle") == packets_of(source, "subtitle")
    assert packets_of(tmp_path / "out.mkv") == packets_of(source)


def test_subrip_becomes_mov_text_in_an_mp4_and_that_is_noted(tmp_path: Path) -> None:
    source = make_subtitled(tmp_path / "in.mkv")
    notes = rewrite(source, tmp_path / "out.mp4")
    assert len(notes) == 1
    assert "was converted to mov_text" in notes[0]
    texts = [(t, text[2:]) for t, text in packets_of(tmp_path / "out.mp4", "subtitle")]
    spoken = [(t, text) for t, text in texts if text]  # an MP4 fills the gaps with empty ones
    assert [time for time, _ in spoken] == [Fraction(1, 5), Fraction(4, 5)]
    assert spoken[0][1].startswith(b"First line")
    assert spoken[1][1].startswith(b"Second line")
    rewrite(tmp_path / "out.mp4", tmp_path / "back.mkv")
    back = [text for _, text in packets_of(tmp_path / "back.mkv", "subtitle")]
    assert back == [b"First <i>line</i>", b"Second line"]


def test_a_subtitle_on_screen_at_the_cut_begins_with_it(tmp_path: Path) -> None:
    source = make_subtitled(tmp_path / "in.mkv")
    rewrite(source, tmp_path / "out.mkv", start_seconds=0.4, end_seconds=1.0)
    with av.open(str(tmp_path / "out.mkv")) as container:
        packets = [p for p in container.demux(subtitles=0) if p.size]
    assert [(p.pts, p.duration) for p in packets] == [(0, 200), (400, 200)]  # ms


def test_sound_that_does_not_fit_is_left_out_and_noted(tmp_path: Path, constant_clip: Path) -> None:
    notes = rewrite(constant_clip, tmp_path / "out.webm", preset="8")
    assert any("audio stream #1 (aac) was left out: webm cannot hold it" in note for note in notes)
    assert probe(tmp_path / "out.webm").audio_codecs == ()


def chapters_in(container: Any) -> list[tuple[float, float, str]]:
    """Start and end (seconds) and title of every chapter."""
    return [
        (
            float(c["start"] * c["time_base"]),
            float(c["end"] * c["time_base"]),
            c["metadata"]["title"],
        )
        for c in container.chapters()
    ]


def test_metadata_that_a_container_does_not_know_is_noted(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", 3, metadata={"title": "A test", "MOOD": "calm"})
    assert rewrite(source, tmp_path / "out.mkv") == []
    assert rewrite(source, tmp_path / "out.mp4") == [
        "metadata that mp4 does not know was left out: MOOD"
    ]


def test_chapters_and_metadata_go_along(tmp_path: Path) -> None:
    chapters = [
        {
            "id": number,
            "start": start,
            "end": end,
            "time_base": Fraction(1, 1000),
            "metadata": {"title": title},
        }
        for number, start, end, title in [(1, 0, 500, "one"), (2, 500, 1200, "two")]
    ]
    source = make_clip(tmp_path / "in.mp4", 30, metadata={"title": "A test"}, chapters=chapters)
    assert rewrite(source, tmp_path / "out.mp4") == []
    assert rewrite(source, tmp_path / "cut.mp4", start_seconds=0.6) == []
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.metadata["title"] == "A test"
        assert chapters_in(container) == [(0, 0.5, "one"), (0.5, 1.2, "two")]
    with av.open(str(tmp_path / "cut.mp4")) as container:
        assert chapters_in(container) == [(0, 0.6, "two")]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize(("degrees", "is_flipped"), [(-90, False), (180, False), (90, True)])
def test_a_phone_clip_is_stored_as_it_was_and_keeps_its_flag(
    tmp_path: Path, suffix: str, degrees: int, is_flipped: bool
) -> None:
    source = make_clip(
        tmp_path / "phone.mp4", 3, rotation_degrees=degrees, is_flipped=is_flipped, has_sound=True
    )
    rewrite(source, tmp_path / f"out{suffix}", preset="8" if suffix == ".webm" else "ultrafast")
    before, after = probe(source), probe(tmp_path / f"out{suffix}")
    assert after.display_matrix == before.display_matrix
    assert (after.width, after.height) == (before.width, before.height)
    shown = zip(read_frames(source), read_frames(tmp_path / f"out{suffix}"), strict=True)
    for old, new in shown:
        assert np.abs(old.pixels.astype(int) - new.pixels).mean() < 3


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format"),
    [
        (".mp4", "h264", "yuv444p"),
        (".mp4", "hevc", "yuv444p"),
        (".mkv", "vp9", "yuv420p"),
        (".mkv", "av1", "yuv420p"),
        (".mkv", "ffv1", "yuv420p"),
    ],
)
def test_an_odd_size_is_kept_to_the_pixel(
    tmp_path: Path, suffix: str, codec: str, pixel_format: str
) -> None:
    pictures = [numbered_picture(number, 97, 129) for number in range(6)]
    source = make_clip(tmp_path / "odd.mkv", pictures=pictures, encoder="ffv1", options={})
    output = tmp_path / f"out{suffix}"
    notes = rewrite(source, output, codec=codec)
    info = probe(output)
    assert (info.width, info.height, info.pixel_format) == (129, 97, pixel_format)
    assert any("129x97 is odd" in note for note in notes) == (pixel_format == "yuv444p")
    assert numbers_in(output) == list(range(6))


@pytest.mark.parametrize(
    ("suffix", "pixel_format", "codec"),
    [
        (".mp4", "yuv420p10le", "hevc"),
        (".mkv", "yuv422p10le", "hevc"),
        (".webm", "yuv420p10le", "libdav1d"),
        (".mp4", "yuv422p", "h264"),
        (".mov", "yuv444p", "h264"),
        (".webm", "yuv444p", "vp9"),
    ],
)
def test_depth_and_subsampling_are_kept_by_the_codec_that_suits_them(
    tmp_path: Path, suffix: str, pixel_format: str, codec: str
) -> None:
    source = make_clip(
        tmp_path / "deep.mkv",
        4,
        pixel_format=pixel_format,
        options={"crf": "5"},
        pts=range(0, 160, 40),
        time_base=Fraction(1, 1000),
    )
    assert rewrite(source, tmp_path / f"out{suffix}") == []
    info = probe(tmp_path / f"out{suffix}")
    assert (info.pixel_format, info.codec) == (pixel_format, codec)


def test_what_a_codec_cannot_hold_of_the_pictures_is_noted(tmp_path: Path) -> None:
    deep = make_clip(tmp_path / "deep.mp4", 4, pixel_format="yuv420p10le")
    assert rewrite(deep, tmp_path / "a.mp4", codec="vp9") == [
        "10-bit pictures were written with 8 bits"
    ]
    rich = make_clip(tmp_path / "rich.mp4", 4, pixel_format="yuv444p")
    assert rewrite(rich, tmp_path / "b.mp4", codec="av1") == [
        "colour in 4:4:4 was written as 4:2:0, which av1 takes"
    ]
    few = make_clip(tmp_path / "few.gif", 4, encoder="gif", pixel_format="rgb8")
    assert rewrite(few, tmp_path / "c.mp4") == [
        "bgra pictures were converted to yuv420p: colours were rounded"
    ]


def make_anamorphic(path: Path, aspect: Fraction) -> Path:
    """Three frames whose pixels are not square."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "h264"), ("a.mov", "hevc"), ("a.mkv", "h264"), ("a.mp4", "av1"), ("a.mp4", "vp9")],
)
def test_pixels_that_are_not_square_stay_so(tmp_path: Path, name: str, codec: str) -> None:
    source = make_anamorphic(tmp_path / "in.mp4", Fraction(4, 3))
    notes = rewrite(source, tmp_path / name, codec=codec)
    assert not any("as wide as high" in note for note in notes)
    assert probe(tmp_path / name).sample_aspect_ratio == Fraction(4, 3)


def test_pixels_that_a_file_cannot_call_oblong_are_noted(tmp_path: Path) -> None:
    source = make_anamorphic(tmp_path / "in.mp4", Fraction(4, 3))
    notes = rewrite(source, tmp_path / "out.webm")
    assert any("pixels are 4/3 as wide as high" in note for note in notes)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_a_graded_clip_stays_hdr(tmp_path: Path, codec: str) -> None:
    numbers = ["0.68", "0.32", "0.265", "0.69", "0.15", "0.06", "0.3127", "0.329", "0.005", "1000"]
    grading = Grading(tuple(Fraction(number) for number in numbers), (1000, 400))
    source = tmp_path / "in.mp4"
    with av.open(str(source), "w") as container:
        params = ":".join(["log-level=error", *grading.params(X265)])
        stream: Any = container.add_stream("libx265", rate=25, options={"x265-params": params})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p10le"
        stream.colorspace, stream.color_primaries, stream.color_trc = 9, 9, 16
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert rewrite(source, tmp_path / "out.mp4", codec=codec) == []
    info = probe(tmp_path / "out.mp4")
    assert (info.color_space, info.color_primaries, info.color_transfer) == (9, 9, 16)
    assert info.bits_per_component == 10
    assert info.grading.light == (1000, 400)
    # AV1 counts in steps of 2^-16 and 2^-8.
    np.testing.assert_allclose(
        [float(value) for value in info.grading.mastering],
        [float(number) for number in numbers],
        atol=1e-4,
    )


def test_whatever_goes_wrong_leaves_no_file(tmp_path: Path, constant_clip: Path) -> None:
    for error in (RuntimeError, KeyboardInterrupt):
        with (
            pytest.raises(error),
            VideoWriter(tmp_path / "out.mp4", like=constant_clip) as writer,
        ):
            for frame in read_frames(constant_clip, end_seconds=1.0):
                writer.write(frame)
            assert len(files_in(tmp_path)) == 1  # the hidden one
            raise error
        assert files_in(tmp_path) == []


def test_closing_a_generator_that_writes_leaves_no_file(
    tmp_path: Path, constant_clip: Path
) -> None:
    def written() -> Iterator[Frame]:
        with VideoWriter(tmp_path / "out.mp4", like=constant_clip) as writer:
            for frame in read_frames(constant_clip):
                writer.write(frame)
                yield frame

    frames = written()
    next(frames)
    assert len(files_in(tmp_path)) == 1
    frames.close()  # type: ignore[attr-defined]
    assert files_in(tmp_path) == []


def test_an_interrupt_while_finishing_leaves_no_file(
    tmp_path: Path, constant_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: MovieFile) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MovieFile, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rewrite(constant_clip, tmp_path / "out.mp4")
    assert files_in(tmp_path) == []


def test_a_failed_overwrite_keeps_the_old_file(tmp_path: Path, constant_clip: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_bytes(b"precious")
    with (
        pytest.raises(RuntimeError),
        VideoWriter(output, like=constant_clip, overwrite=True) as writer,
    ):
        writer.write(next(read_frames(constant_clip)))
        raise RuntimeError
    assert output.read_bytes() == b"precious"
    rewrite(constant_clip, output, overwrite=True)
    assert numbers_in(output) == list(range(60))
    assert files_in(tmp_path) == ["out.mp4"]


def test_a_file_that_appears_meanwhile_is_not_overwritten(
    tmp_path: Path, constant_clip: Path
) -> None:
    output = tmp_path / "out.mp4"
    with (
        pytest.raises(OutputError, match="exists already"),
        VideoWriter(output, like=constant_clip) as writer,
    ):
        writer.write(next(read_frames(constant_clip)))
        output.write_bytes(b"of another run")
    assert output.read_bytes() == b"of another run"
    assert files_in(tmp_path) == ["out.mp4"]


def test_a_full_disk_is_an_output_error(tmp_path: Path, constant_clip: Path) -> None:
    resource = pytest.importorskip("resource", reason="file size limits are POSIX")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # A limit on file size fails the same system call as a full disk does.
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        with pytest.raises(DiskFullError, match=r"out\.mp4 could not be written .*make room"):
            rewrite(constant_clip, tmp_path / "out.mp4", quality=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files_in(tmp_path) == []


def test_no_space_left_is_an_output_error(
    tmp_path: Path, constant_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: MovieFile, frame: Frame, duration: int) -> None:
        raise av.error.OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(MovieFile, "encode", full)
    with pytest.raises(DiskFullError, match="No space left on device"):
        rewrite(constant_clip, tmp_path / "out.mp4")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "choices", "message"),
    [
        ("out.mp4", {"codec": "theora"}, "codec theora is unknown; use one of auto, h264"),
        ("out.mp4", {"codec": "ffv1"}, r"\.mp4 cannot hold ffv1; use h264"),
        ("out.webm", {"codec": "h264"}, r"\.webm cannot hold h264; use vp9, av1"),
        ("out.txt", {}, r"does not end in a known container; use one of \.mp4"),
        ("out.mp4", {"preset": "warp"}, "preset warp is unknown to h264; use one of ultrafast"),
        ("out.mkv", {"codec": "ffv1", "preset": "slow"}, "leave it out"),
        ("out.mp4", {"quality": 52}, "quality 52 is out of range for h264; give 0 .* to 51"),
        ("out.mp4", {"quality": -1}, "quality -1 is out of range"),
        ("out.mp4", {"quality": float("nan")}, "quality nan is out of range"),
        ("out.mkv", {"codec": "ffv1", "quality": 18}, "ffv1 is lossless: it takes no quality"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused_before_a_frame_is_read(
    tmp_path: Path, constant_clip: Path, name: str, choices: dict[str, object], message: str
) -> None:
    with pytest.raises(CodecError, match=message):
        VideoWriter(tmp_path / name, like=constant_clip, **choices)  # type: ignore[arg-type]
    assert files_in(tmp_path) == []


def test_a_place_where_nothing_can_be_written_is_refused(
    tmp_path: Path, constant_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    for name, message in [
        ("old.mp4", r"exists already; choose another name or allow --overwrite"),
        ("folder.mp4", "is a folder"),
        ("none/out.mp4", r"the folder of .* does not exist; make it: mkdir -p"),
    ]:
        with pytest.raises(OutputError, match=message):
            check_output(tmp_path / name, like=constant_clip)
    with pytest.raises(OutputError, match="is the input itself"):
        check_output(constant_clip, like=constant_clip, overwrite=True)
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(OutputError, match="is not writable"):
        check_output(tmp_path / "out.mp4", like=constant_clip)


def test_an_empty_range_is_refused_before_anything_is_written(
    tmp_path: Path, constant_clip: Path
) -> None:
    with pytest.raises(TimeRangeError, match="is empty"):
        VideoWriter(tmp_path / "o.mp4", like=constant_clip, start_seconds=2.0, end_seconds=1.0)


def test_a_film_without_a_frame_is_not_written(tmp_path: Path, constant_clip: Path) -> None:
    with (
        pytest.raises(OutputError, match="there was no frame for it"),
        VideoWriter(tmp_path / "out.mp4", like=constant_clip),
    ):
        pass
    assert files_in(tmp_path) == []


def test_frames_that_do_not_belong_together_are_refused(
    tmp_path: Path, constant_clip: Path
) -> None:
    first, second = list(read_frames(constant_clip, end_seconds=0.08))
    smaller = Frame(second.pixels[:64], second.pts, second.time_base)
    for wrong, message in [(first, "does not come after"), (smaller, "but the first one")]:
        with (
            pytest.raises(ValueError, match=message),
            VideoWriter(tmp_path / "out.mp4", like=constant_clip) as writer,
        ):
            writer.write(first)
            writer.write(wrong)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("name", ["head_480", "portrait_720p", "speech_portrait_hevc"])
def test_the_start_of_a_real_clip_keeps_times_and_sound(tmp_path: Path, name: str) -> None:
    source = Path(__file__).parents[2] / ".." / "shared" / "videos" / f"{name}.mp4"
    if not source.exists():
        pytest.skip("the shared clips are not beside this repository")
    rewrite(source, tmp_path / "out.mp4", end_seconds=0.5, preset="ultrafast")
    num_frames = len(pts_of(tmp_path / "out.mp4"))
    assert 12 <= num_frames <= 15
    assert pts_of(tmp_path / "out.mp4") == pts_of(source)[:num_frames]
    assert packets_of(tmp_path / "out.mp4") == [p for p in packets_of(source) if p[0] < 0.5]
