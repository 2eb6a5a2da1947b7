"""What no face touches comes back sample by sample, in the planes it was decoded to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from megafs_video.errors import CodecError
from megafs_video.values import Frame, Patch, UInt8Array, patched
from megafs_video.video.colour import ToRgb, rgb_to_yuv
from megafs_video.video.orientation import IDENTITY, exif_matrix, turn_upright
from megafs_video.video.planes import DecodedPicture
from megafs_video.video.probe import probe
from megafs_video.video.read import read_frames
from megafs_video.video.write import VideoWriter

Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
RECTANGLE = np.s_[20:41, 31:70]  # on no border of a chroma sample


def samples_of(frame: av.VideoFrame) -> list[Samples]:
    """Every plane [H, W] of a planar frame, copied."""
    dtype = np.dtype(np.uint8 if frame.format.components[0].bits == 8 else "<u2")
    return [
        np.frombuffer(bytes(plane), dtype).reshape(plane.height, -1)[:, : plane.width].copy()
        for plane in frame.planes
    ]


def noise(pixel_format: str, seed: int, *, height: int = 48, width: int = 96) -> av.VideoFrame:
    """A frame in which every sample is drawn by chance: nothing survives a conversion by luck."""
    frame = av.VideoFrame(width, height, pixel_format)
    chance = np.random.default_rng(seed)
    bits = frame.format.components[0].bits
    for plane in frame.planes:
        samples = np.frombuffer(plane, np.uint8 if bits == 8 else np.dtype("<u2"))
        samples[:] = chance.integers(0, 2**bits, samples.shape)
    return frame


def make_noise(path: Path, frames: Sequence[av.VideoFrame], **tags: Any) -> Path:
    """A lossless clip of such frames."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height = frames[0].width, frames[0].height
        stream.pix_fmt = frames[0].format.name
        for name, value in tags.items():
            getattr(stream, name)(value) if name == "set_display_matrix" else setattr(
                stream, name, value
            )
        for pts, frame in enumerate(frames):
            frame.pts, frame.time_base = pts, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def decoded(path: Path) -> list[list[Samples]]:
    with av.open(str(path)) as container:
        return [samples_of(frame) for frame in container.decode(video=0)]


def rewrite(source: Path, output: Path, change: Any = None, **choices: Any) -> list[str]:
    with VideoWriter(output, like=source, **choices) as writer:
        for frame in read_frames(source):
            writer.write(frame if change is None else replace(frame, pixels=change(frame.pixels)))
    return writer.notes


def painted(pixels: UInt8Array) -> UInt8Array:
    """The picture with a rectangle in another colour."""
    pixels = pixels.copy()
    pixels[RECTANGLE] = (200, 90, 40)
    return pixels


FORMATS = [
    *("yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p"),
    *("yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le"),
    *("yuva420p", "yuva444p10le"),
]


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_frames_without_a_change_come_back_bit_by_bit(tmp_path: Path, pixel_format: str) -> None:
    source = make_noise(tmp_path / "in.mkv", [noise(pixel_format, seed) for seed in range(3)])
    assert rewrite(source, tmp_path / "out.mkv", codec="ffv1") == []
    for before, after in zip(decoded(source), decoded(tmp_path / "out.mkv"), strict=True):
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("size", [(48, 96), (47, 95)])
@pytest.mark.parametrize("pixel_format", FORMATS)
def test_around_a_change_every_sample_stays(
    tmp_path: Path, pixel_format: str, size: tuple[int, int]
) -> None:
    height, width = size
    frames = [noise(pixel_format, 1, height=height, width=width)]
    source = make_noise(tmp_path / "in.mkv", frames)
    rewrite(source, tmp_path / "out.mkv", painted, codec="ffv1")
    [before], [after] = decoded(source), decoded(tmp_path / "out.mkv")
    for old, new in zip(before, after, strict=True):
        step_y, step_x = -(-height // old.shape[0]), -(-width // old.shape[1])
        inside = np.zeros(old.shape, bool)
        inside[20 // step_y : 40 // step_y + 1, 31 // step_x : 69 // step_x + 1] = True
        np.testing.assert_array_equal(old[~inside], new[~inside])
    assert (before[0][RECTANGLE] != after[0][RECTANGLE]).mean() > 0.9
    if len(before) == 4:
        np.testing.assert_array_equal(before[3], after[3])  # what is transparent stays so


@pytest.mark.parametrize("matrix", [90, 180, 270])
def test_a_turned_picture_is_painted_where_it_is_seen(tmp_path: Path, matrix: int) -> None:
    quarter = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[matrix]
    a, b, c, d = (part << 16 for part in quarter)
    turn = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    source = make_noise(
        tmp_path / "in.mkv", [noise("yuv422p", 5, height=96)], set_display_matrix=turn
    )
    rewrite(source, tmp_path / "out.mkv", painted, codec="ffv1")
    [before], [after] = decoded(source), decoded(tmp_path / "out.mkv")
    changed = np.rot90(before[0] != after[0], -matrix // 90)
    outside = np.ones(changed.shape, bool)
    outside[RECTANGLE] = False
    assert changed[RECTANGLE].mean() > 0.9
    assert not changed[outside].any()


@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuv422p10le", "p010le", "yuv444p"])
def test_what_is_painted_shows_the_colour_that_was_asked_for(
    pixel_format: str, is_full: bool
) -> None:
    flat = av.VideoFrame.from_ndarray(np.full((48, 96, 3), 120, np.uint8), format="rgb24").reformat(
        format=pixel_format, dst_colorspace=1, dst_color_range=2 if is_full else 1
    )
    flat.colorspace, flat.color_range = 1, 2 if is_full else 1
    to_rgb = ToRgb()
    pixels = to_rgb(flat)
    picture = DecodedPicture.of(flat, pixels, IDENTITY)
    assert picture is not None
    wanted = pixels.copy()
    wanted[16:32, 32:64] = (200, 90, 40)
    found = to_rgb(picture.showing(wanted)).astype(int)
    # Rounding of the planes is worth up to two levels of RGB; bilinear chroma blurs the border.
    assert np.abs(found[18:30, 34:62] - (200, 90, 40)).max() <= 2
    assert np.abs(found[:14] - pixels[:14]).max() == 0
    # Asked again, it does not paint twice; asked for the old pixels, it shows them again.
    np.testing.assert_array_equal(found, to_rgb(picture.showing(wanted)))
    assert np.abs(to_rgb(picture.showing(pixels)).astype(int) - pixels).max() <= 2


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_patch_shows_what_the_whole_picture_would(pixel_format: str, orientation: int) -> None:
    matrix = exif_matrix(orientation)
    shown = []
    for is_whole in (True, False):
        frame = noise(pixel_format, 3)
        pixels = turn_upright(ToRgb()(frame), matrix)
        picture = DecodedPicture.of(frame, pixels, matrix)
        assert picture is not None
        patch = Patch(31, 20, painted(pixels)[20:41, 31:48])  # on no border of a chroma sample
        if is_whole:
            shown.append(samples_of(picture.showing(patched(pixels, patch))))
            continue
        shown.append(samples_of(picture.showing(pixels, patch)))
        again = samples_of(picture.showing(pixels, patch))  # it does not paint twice
        assert all(map(np.array_equal, again, shown[-1]))
    for whole, part in zip(*shown, strict=True):
        np.testing.assert_array_equal(whole, part)


@pytest.mark.parametrize("size", [(47, 95), (48, 96)])
def test_a_patch_may_reach_to_the_border(size: tuple[int, int]) -> None:
    frame = noise("yuv420p", 3, height=size[0], width=size[1])
    pixels = ToRgb()(frame)
    picture = DecodedPicture.of(frame, pixels, IDENTITY)
    assert picture is not None
    whole = np.full_like(pixels, 120)
    picture.showing(pixels, Patch(0, 0, whole))
    found = ToRgb()(picture.showing(pixels, Patch(0, 0, whole))).astype(int)
    assert found.shape == pixels.shape
    # Another patch takes the place of the first.
    np.testing.assert_array_equal(
        picture.rgb(pixels, Patch(0, 0, whole)), picture.rgb(pixels, Patch(0, 0, whole.copy()))
    )


def test_a_deep_picture_keeps_what_eight_bits_cannot_say() -> None:
    frame = noise("yuv420p10le", 3)
    for plane in frame.planes[1:]:
        np.frombuffer(plane, "<u2")[:] = 512
    luma = np.frombuffer(frame.planes[0], "<u2").reshape(48, -1)[:, :96]
    luma[:] = 400 + np.arange(96) % 4  # quarters of a level of eight bits
    pixels = ToRgb()(frame)
    picture = DecodedPicture.of(frame, pixels, IDENTITY)
    assert picture is not None
    shown = samples_of(picture.showing(pixels + np.uint8(10)))[0].astype(int)
    np.testing.assert_array_equal(
        np.diff(shown, axis=1), np.diff(400 + np.arange(96) % 4)[None].repeat(48, 0)
    )


def test_samples_beyond_their_depth_are_bounded() -> None:
    frame = noise("yuv420p10le", 1)
    pixels = ToRgb()(frame)
    for plane in frame.planes:
        np.frombuffer(plane, "<u2")[7] = 0x8080  # what a decoder leaves where packets are lost
    picture = DecodedPicture.of(frame, pixels, IDENTITY)
    assert picture is not None
    assert [int(plane.max()) for plane in samples_of(picture.showing(pixels))] == [1023] * 3


def test_ten_levels_of_grey_are_ten_levels_of_luma() -> None:
    limited = rgb_to_yuv(1, 720, 1280, 8, is_full=False) @ [10, 10, 10]
    np.testing.assert_allclose(limited, [10 * 219 / 255, 0, 0], atol=1e-5)
    deep = rgb_to_yuv(9, 720, 1280, 10, is_full=False) @ [255, 255, 255]
    np.testing.assert_allclose(deep, [876, 0, 0], atol=1e-3)
    blue = rgb_to_yuv(6, 480, 640, 8, is_full=True) @ [0, 0, 255]
    np.testing.assert_allclose(blue, [29.07, 127.5, -20.74], atol=0.01)  # BT.601's blue


def test_pictures_that_are_not_yuv_have_no_planes_to_keep(tmp_path: Path) -> None:
    frame = av.VideoFrame(16, 16, "rgb24")
    assert DecodedPicture.of(frame, np.zeros((16, 16, 3), np.uint8), IDENTITY) is None


def test_a_frame_made_by_hand_can_be_written_too(tmp_path: Path) -> None:
    source = make_noise(tmp_path / "in.mkv", [noise("yuv444p", 1)])
    [read] = read_frames(source)
    with VideoWriter(tmp_path / "out.mkv", like=source, codec="ffv1") as writer:
        writer.write(Frame(painted(read.pixels), read.pts, read.time_base))
    [shown] = read_frames(tmp_path / "out.mkv")
    assert np.abs(shown.pixels[RECTANGLE].astype(int) - (200, 90, 40)).max() <= 2


@pytest.mark.parametrize(
    ("name", "pixel_format"), [("out.mkv", "yuva420p"), ("out.mov", "yuva444p10le")]
)
def test_transparency_is_kept_where_a_codec_can(
    tmp_path: Path, name: str, pixel_format: str
) -> None:
    source = make_noise(tmp_path / "in.mkv", [noise(pixel_format, 1)])
    rewrite(source, tmp_path / name)
    kept = probe(tmp_path / name).pixel_format
    assert kept.startswith("yuva")


def test_transparency_is_refused_where_it_would_be_lost(tmp_path: Path) -> None:
    source = make_noise(tmp_path / "in.mkv", [noise("yuva420p", 1)])
    with pytest.raises(CodecError, match=r"transparent parts \(yuva420p\), which h264 cannot keep"):
        rewrite(source, tmp_path / "out.mp4")
