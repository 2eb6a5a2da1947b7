"""Encoders go by their names; lossless is every sample; hardware is never taken in silence."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from megafs_video.errors import CodecError
from megafs_video.video import codec as codec_module
from megafs_video.video import encoders
from megafs_video.video.codec import CODECS, HARDWARE
from megafs_video.video.colour import ToLayout
from megafs_video.video.encoders import choose_encoding, working_codecs
from megafs_video.video.grading import Grading
from megafs_video.video.planes import planar_format
from megafs_video.video.read import read_frames
from megafs_video.video.write import VideoWriter
from tests.clips import make_clip, numbered_picture, packets_of
from tests.video.test_planes import decoded, make_noise, noise, rewrite

M_PERTURB = -6  # name of glibc's mallopt(3): new memory is full of that byte's complement


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("out.mp4", "h264", "yuv420p"),
        ("out.mov", "h264", "yuv422p10le"),
        ("out.mp4", "hevc", "yuv420p10le"),
        ("out.mkv", "hevc", "yuv444p12le"),
        ("out.webm", "av1", "yuv420p10le"),
        ("out.webm", "vp9", "yuv444p"),
        ("out.mkv", "ffv1", "yuva420p"),
        ("out.mp4", "auto", "yuv420p"),
        ("out.mp4", "auto", "yuv444p10le"),
    ],
)
def test_lossless_is_every_sample_as_it_was(
    tmp_path: Path, name: str, codec: str, pixel_format: str
) -> None:
    # SVT-AV1 begins at 64 pixels a side.
    frames = [noise(pixel_format, seed, height=64) for seed in range(3)]
    source = make_noise(tmp_path / "in.mkv", frames)
    notes = rewrite(source, tmp_path / name, codec=codec, quality="lossless")
    assert all("timestamps were rounded" in note for note in notes)
    for before, after in zip(decoded(source), decoded(tmp_path / name), strict=True):
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("codec", ["hevc", "av1", "h264"])
def test_lossless_holds_where_frames_follow_from_one_another(tmp_path: Path, codec: str) -> None:
    # Noise has nothing to predict: what is lost between key frames shows on smooth pictures.
    pictures = [numbered_picture(number) for number in range(6)]
    source = make_clip(
        tmp_path / "in.mkv", pictures=pictures, encoder="ffv1", pixel_format="yuv420p10le"
    )
    rewrite(source, tmp_path / "out.mp4", codec=codec, quality="lossless")
    for before, after in zip(decoded(source), decoded(tmp_path / "out.mp4"), strict=True):
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(old, new)


def test_lossless_is_refused_where_something_would_be_lost() -> None:
    with pytest.raises(CodecError, match=r"prores cannot keep every sample .* use h264 or hevc"):
        choose_encoding(Path("a.mov"), "prores", "lossless", like_format="yuv422p10le")
    with pytest.raises(CodecError, match="av1 cannot keep every sample of yuv444p pictures"):
        choose_encoding(Path("a.mp4"), "av1", "lossless", like_format="yuv444p")
    with pytest.raises(CodecError, match="h264_qsv cannot keep every sample"):
        choose_encoding(Path("a.mp4"), "h264_qsv", "lossless")


def test_lossless_of_rgb_thins_out_no_colour(tmp_path: Path) -> None:
    frame = av.VideoFrame.from_ndarray(
        np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8), format="rgb24"
    ).reformat(format="bgr0")
    source = make_noise(tmp_path / "in.mkv", [frame])
    assert rewrite(source, tmp_path / "out.mp4", quality="lossless") == [
        "bgr0 pictures were converted to yuv444p: colours were rounded"
    ]
    [before], [after] = read_frames(source), read_frames(tmp_path / "out.mp4")
    assert np.abs(before.pixels.astype(int) - after.pixels).max() <= 3


def test_every_codec_of_the_table_names_its_compression() -> None:
    for name, codec in CODECS.items():
        assert codec.name == name
        assert name.split("_")[0] == codec.compression
        assert codec.default_preset is None or codec.default_preset in codec.presets
    assert {"h264_nvenc", "hevc_qsv", "av1_amf", "hevc_videotoolbox"} <= set(CODECS)


@pytest.mark.parametrize("codec", HARDWARE, ids=lambda codec: codec.name)
def test_a_machine_without_the_encoder_says_so_and_what_there_is(codec: codec_module.Codec) -> None:
    if codec.name in working_codecs():
        pytest.skip("this machine has the encoder")
    with pytest.raises(CodecError, match=r"these work: h264, hevc, av1, vp9, prores, ffv1"):
        choose_encoding(Path("a.mp4"), codec.name).check_size(480, 640)


def test_hardware_is_chosen_by_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for like in ("yuv420p", "yuv420p10le", "yuv444p", "yuv422p12le"):
        for suffix in encoders.FORMATS:
            chosen = choose_encoding(Path(f"a{suffix}"), like_format=like)
            assert not chosen.codec.is_hardware
    with pytest.raises(CodecError, match=r"\.webm cannot hold h264_nvenc; use vp9, av1"):
        choose_encoding(Path("a.webm"), "h264_nvenc")


def test_hardware_asks_for_quality_in_its_own_words() -> None:
    def options(name: str, quality: float | None = None) -> dict[str, str]:
        if CODECS[name].encoder not in av.codecs_available:
            return dict(CODECS[name].quality_options(20 if quality is None else quality))
        return dict(choose_encoding(Path("a.mp4"), name, quality).options)

    assert options("h264_nvenc", 23)["cq"] == "23"
    assert options("h264_nvenc", 0)["cq"] == "0.1"  # 0 would let the card choose
    assert options("hevc_qsv")["global_quality"] == "20"
    assert options("av1_amf", 30)["qp_i"] == options("av1_amf", 30)["qp_p"] == "30"
    # VideoToolbox counts the other way, to 100.
    assert options("hevc_videotoolbox", 0)["global_quality"] == str(118 * 100)
    assert options("hevc_videotoolbox", 51)["global_quality"] == str(118 * 1)


@pytest.mark.parametrize(("like", "card"), [("yuv420p", "nv12"), ("yuv420p10le", "p010le")])
def test_a_card_gets_the_very_same_samples_in_another_order(like: str, card: str) -> None:
    frame = noise(like, 4)
    there = ToLayout(card)(frame)
    assert planar_format(there.format.name) == like
    for old, new in zip(frame.planes, ToLayout(like)(there).planes, strict=True):
        assert bytes(old) == bytes(new)


def test_a_card_that_works_is_used_and_nothing_is_lost_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # x264 in the place of a card that takes NV12 alone.
    card = replace(
        CODECS["h264_qsv"],
        encoder="libx264",
        quality_options=CODECS["h264"].quality_options,
        presets=("ultrafast",),
        default_preset="ultrafast",
    )
    monkeypatch.setitem(CODECS, card.name, card)
    monkeypatch.setattr(codec_module.Codec, "formats", lambda codec: ["nv12"])
    source = make_noise(tmp_path / "in.mkv", [noise("yuv420p", 1, height=64)])
    assert rewrite(source, tmp_path / "out.mp4", codec="h264_qsv") == []
    deep = make_noise(tmp_path / "deep.mkv", [noise("yuv422p10le", 1, height=64)])
    [frame] = read_frames(deep)
    frame = replace(frame, pts=0, time_base=Fraction(1, 25))
    with VideoWriter(tmp_path / "deep.mp4", like=deep, codec="h264_qsv") as writer:
        writer.write(frame)
    assert writer.notes == [
        "10-bit pictures were written with 8 bits",
        "colour in 4:2:2 was written as 4:2:0, which h264_qsv takes",
    ]


@pytest.fixture
def libc() -> Iterator[ctypes.CDLL]:
    """The C library, which fills memory as it pleases again afterwards."""
    libc = ctypes.CDLL(None)
    yield libc
    libc.mallopt(M_PERTURB, 0)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can fill new memory")
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9", "ffv1"])
def test_what_memory_held_before_makes_no_other_packets(
    tmp_path: Path, libc: ctypes.CDLL, codec: str
) -> None:
    # 17 blocks a row, which x264 counted eight at a time, and movement into the last row's end.
    blocks = np.random.default_rng(0).integers(20, 200, (40, 46, 3), np.uint8)
    ground = np.kron(blocks, np.ones((8, 8, 1), np.uint8))
    pictures = [ground[i : i + 240, 2 * i : 2 * i + 272] for i in range(40)]
    source = make_clip(tmp_path / "in.mkv", pictures=pictures, encoder="ffv1")
    written = []
    for filler in (0xFF, 0x01, 0x55):
        libc.mallopt(M_PERTURB, filler)
        rewrite(source, tmp_path / f"{filler}.mkv", codec=codec)
        written.append(packets_of(tmp_path / f"{filler}.mkv", "video"))
    assert written[0] == written[1] == written[2]


def test_x264_hears_of_the_processor_and_of_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = choose_encoding(Path("a.mp4"), "h264")
    for has_avx512, asked in ((True, ["asm=AVX2", "cll=1000,400"]), (False, ["cll=1000,400"])):
        monkeypatch.setattr("cv2.checkHardwareSupport", lambda number, has=has_avx512: has)
        options = chosen.options_with(Grading(light=(1000, 400)))
        assert options["x264-params"].split(":") == asked
