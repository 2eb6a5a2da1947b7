"""Colours survive: the stream's matrix and range go in, and the same come out."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import av
import numpy as np
import pytest

from megafs_video.errors import VideoError
from megafs_video.values import UInt8Array
from megafs_video.video.colour import BT601, BT709, ColourTags, ToRgb, ToYuv, matrix_by_size
from megafs_video.video.probe import probe
from megafs_video.video.read import read_frames
from megafs_video.video.write import VideoWriter
from tests.clips import make_clip, numbered_picture
from tests.video.test_planes import FORMATS, noise

# Weights of red and blue in luma, by H.273 code: the definition, not swscale's tables.
WEIGHTS = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def smooth_picture(height: int, width: int) -> UInt8Array:
    """Slow gradients in all three channels, where subsampled chroma costs nothing."""
    rows, columns = np.mgrid[0:height, 0:width] / [[[height]], [[width]]]
    levels = np.stack([40 + 170 * columns, 40 + 170 * rows, 200 - 150 * columns * rows], axis=-1)
    return levels.round().astype(np.uint8)


def planes_of(picture: UInt8Array, matrix: int, is_full: bool) -> list[UInt8Array]:
    """Y [H, W], Cb and Cr [H/2, W/2] of a picture, by the textbook."""
    red, green, blue = np.moveaxis(picture / 255.0, -1, 0)
    kr, kb = WEIGHTS[matrix]
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    span, base, chroma_span = (255, 0, 255) if is_full else (219, 16, 224)
    height, width = luma.shape
    planes = [base + span * luma]
    for chroma in (cb, cr):
        halved = chroma.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        planes.append(128 + chroma_span * halved)
    return [plane.round().astype(np.uint8) for plane in planes]


def tagged_frame(picture: UInt8Array, matrix: int, is_full: bool, tag: int) -> av.VideoFrame:
    """A yuv420p frame made by ``planes_of`` with its tags."""
    planes = planes_of(picture, matrix, is_full)
    stacked = np.concatenate([plane.reshape(-1) for plane in planes])
    height, width = picture.shape[:2]
    frame = av.VideoFrame.from_ndarray(stacked.reshape(height * 3 // 2, width), format="yuv420p")
    frame.colorspace, frame.color_range = tag, 2 if is_full else 1
    return frame


@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("matrix", [1, 6, 9])
def test_rgb_is_read_by_the_tagged_matrix_and_range(matrix: int, is_full: bool) -> None:
    picture = smooth_picture(64, 96)
    found = ToRgb()(tagged_frame(picture, matrix, is_full, matrix))
    # One level for rounding each way; the wrong matrix or range costs 6 and more.
    assert np.abs(found.astype(int) - picture).mean() < 1


@pytest.mark.parametrize(("height", "width", "matrix"), [(480, 640, 6), (720, 1280, 1)])
def test_an_untagged_stream_is_read_by_its_size(height: int, width: int, matrix: int) -> None:
    assert matrix_by_size(height, width) == matrix
    picture = smooth_picture(height, width)
    found = ToRgb()(tagged_frame(picture, matrix, False, 2))
    assert np.abs(found.astype(int) - picture).mean() < 1


@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("matrix", [1, 6, 9])
def test_yuv_is_made_by_the_textbook(matrix: int, is_full: bool) -> None:
    picture = smooth_picture(64, 96)
    frame = ToYuv(ColourTags(matrix, 2 if is_full else 1), "yuv420p")(picture)
    for plane, wanted in zip(frame.planes, planes_of(picture, matrix, is_full), strict=True):
        found = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)
        difference = np.abs(found[:, : plane.width].astype(int) - wanted)
        assert difference.mean() < 0.6  # rounding
    assert (frame.colorspace, frame.color_range) == (matrix, 2 if is_full else 1)


@pytest.mark.parametrize(
    ("matrix", "is_full", "primaries", "transfer"),
    [(1, False, 1, 1), (1, True, 1, 13), (6, False, 6, 6), (9, False, 9, 14)],
)
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_rewritten_clip_keeps_its_tags_and_colours(
    tmp_path: Path, codec: str, matrix: int, is_full: bool, primaries: int, transfer: int
) -> None:
    picture = smooth_picture(96, 128)
    source = tmp_path / "in.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.colorspace, stream.color_range = matrix, 2 if is_full else 1
        stream.color_primaries, stream.color_trc = primaries, transfer
        for pts in range(3):
            frame = tagged_frame(picture, matrix, is_full, matrix)
            frame.pts = pts
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with VideoWriter(tmp_path / "out.mp4", like=source, codec=codec, quality=1) as writer:
        for read in read_frames(source):
            writer.write(read)
    before, after = probe(source), probe(tmp_path / "out.mp4")
    for info in (before, after):
        assert (info.color_space, info.color_range) == (matrix, 2 if is_full else 1)
        assert (info.color_primaries, info.color_transfer) == (primaries, transfer)
    found = next(read_frames(tmp_path / "out.mp4")).pixels
    # Two conversions and a nearly lossless encoder: about one level; a BT.601 slip costs 6.
    assert np.abs(found.astype(int) - picture).mean() < 1.5


def test_an_untagged_clip_stays_untagged(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", 3)
    with VideoWriter(tmp_path / "out.mp4", like=source) as writer:
        for frame in read_frames(source):
            writer.write(frame)
    info = probe(tmp_path / "out.mp4")
    assert (info.color_space, info.color_primaries, info.color_transfer) == (2, 2, 2)


def test_an_rgb_clip_becomes_yuv_with_a_matrix_of_its_own(tmp_path: Path) -> None:
    picture = numbered_picture(3)
    source = make_clip(
        tmp_path / "in.mkv",
        pictures=[picture] * 3,
        encoder="libx264rgb",
        options={"crf": "0"},
        pixel_format="rgb24",
    )
    assert np.array_equal(next(read_frames(source)).pixels, picture)
    with VideoWriter(tmp_path / "out.mkv", like=source, quality=1) as writer:
        for frame in read_frames(source):
            writer.write(frame)
    info = probe(tmp_path / "out.mkv")
    assert (info.pixel_format, info.color_space) == ("yuv420p", BT601)
    found = next(read_frames(tmp_path / "out.mkv")).pixels
    # The number's hard edges lose a little in subsampled chroma.
    assert np.abs(found.astype(int) - picture).mean() < 2


def test_a_round_trip_leaves_luma_alone() -> None:
    picture = smooth_picture(64, 96)
    frame = tagged_frame(picture, BT709, False, BT709)
    back = ToYuv(ColourTags(BT709, 1), "yuv420p")(ToRgb()(frame))
    luma = [np.frombuffer(bytes(f.planes[0]), np.uint8).astype(int) for f in (frame, back)]
    assert np.abs(luma[0] - luma[1]).max() <= 1


def test_a_matrix_that_cannot_be_converted_is_refused() -> None:
    frame = tagged_frame(smooth_picture(64, 96), 1, False, 8)  # YCgCo
    with pytest.raises(VideoError, match=r"H\.273 code 8.*convert the clip to BT\.709"):
        ToRgb()(frame)


@pytest.mark.parametrize("pixel_format", [*FORMATS, "nv12", "p010le", "yuvj420p"])
@pytest.mark.parametrize(("matrix", "colour_range"), [(1, 1), (5, 2), (7, 0), (9, 2)])
def test_pictures_for_looking_at_are_converted_alike(
    pixel_format: str, matrix: int, colour_range: int
) -> None:
    frame = noise(pixel_format, 1)
    frame.colorspace, frame.color_range = matrix, colour_range
    exact, looked_at = (ToRgb(is_exact=is_exact)(frame).astype(int) for is_exact in (True, False))
    if pixel_format in ("yuv420p", "yuv422p", "yuvj420p"):  # where swscale has a quicker way
        assert abs((looked_at - exact).mean()) < 2
    else:
        np.testing.assert_array_equal(looked_at, exact)


def test_pictures_that_wait_lie_in_buffers_that_are_used_again() -> None:
    to_rgb, frame = ToRgb(is_exact=False), noise("yuv420p", 1, height=480, width=640)
    waiting: deque[tuple[UInt8Array, UInt8Array]] = deque(maxlen=8)
    places = set()
    for index in range(60):
        pixels = to_rgb(frame)
        places.add(pixels.ctypes.data)
        # Other things that come and go, and would break up what the C library has to give.
        waiting.append((pixels, np.zeros(200_000 + 9_000 * (index % 7), np.uint8)))
    assert len(places) <= 8 + 2
