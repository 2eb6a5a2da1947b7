"""Between a stream's YUV and our RGB, with the stream's own matrix and range.

Numbers are the code points of ITU-T H.273, as FFmpeg uses them: matrix, primaries and
transfer 2 is "unspecified"; range 0 is unspecified, 1 limited (16-235), 2 full (0-255).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import Interpolation, VideoReformatter

from megafs_video.errors import VideoError
from megafs_video.values import FloatArray, UInt8Array

RGB, BT709, UNSPECIFIED, BT601 = 0, 1, 2, 6
LIMITED, FULL = 1, 2

# H.273 matrix -> swscale's table. YCgCo, ICtCp and the rest have none: refuse, do not guess.
_SWSCALE_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}

# The same tables, as FFmpeg's filter calls them.
_FILTER_MATRIX = {1: "bt709", 4: "fcc", 5: "bt470bg", 7: "smpte240m", 9: "bt2020"}

# H.273 matrix -> weights of red and blue in luma.
_LUMA_WEIGHTS = {
    **{1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114)},
    **{7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)},
}

# Without these flags swscale takes shortcuts that darken luma by one level in every round trip.
_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
_TO_RGB = Interpolation.BILINEAR | _EXACT
_FILTER_QUICK, _FILTER_EXACT = "bilinear", "bilinear+accurate_rnd+full_chroma_int+full_chroma_inp"
# With all of them, swscale leaves its fast way from these formats to RGB: 12 ms at 1080p, not 1.
_QUICK_FORMATS = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p"})
_TO_YUV = Interpolation.BICUBIC | _EXACT


@dataclass(frozen=True)
class ColourTags:
    """What a stream says about its colours; the module's docstring explains the numbers."""

    matrix: int = UNSPECIFIED
    range: int = 0
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED

    def for_yuv(self, height: int, width: int) -> ColourTags:
        """The tags for a YUV stream made from this one: RGB has no matrix, so it gets one."""
        if self.matrix != RGB:
            return self
        return ColourTags(matrix_by_size(height, width), LIMITED, self.primaries, self.transfer)


def matrix_by_size(height: int, width: int) -> int:
    """The matrix of an untagged stream: BT.709 from 720p on, else BT.601, as players guess.

    >>> matrix_by_size(720, 1280) == matrix_by_size(1280, 720) == BT709
    True
    >>> matrix_by_size(480, 640) == BT601
    True
    """
    return BT709 if max(height, width) >= 1280 or min(height, width) > 576 else BT601


def tags_of(frame: av.VideoFrame) -> ColourTags:
    """The tags of a decoded frame; RGB and the "yuvj" formats imply what they are."""
    matrix = RGB if frame.format.is_rgb else frame.colorspace
    is_full = frame.format.name.startswith("yuvj") or matrix == RGB
    if matrix == RGB and not frame.format.is_rgb:
        matrix = UNSPECIFIED  # grey, or a stream that calls its YUV RGB
    return ColourTags(
        matrix, FULL if is_full else frame.color_range, frame.color_primaries, frame.color_trc
    )


class ToRgb:
    """Turns decoded frames into uint8 [H, W, 3] RGB; keeps its tables between frames.

    Not exact, it is quick where swscale can be: about one level darker, with colour as coarse
    as it is stored. That does for pictures that are looked at and never written back. Many of them
    wait in a pipeline, so they lie in buffers that are used again.
    """

    def __init__(self, *, is_exact: bool = True) -> None:
        self._reformatter = VideoReformatter()
        self._is_exact = is_exact
        self._filter: tuple[tuple[object, ...], Graph] | None = None  # what for, and it

    def __call__(self, frame: av.VideoFrame) -> UInt8Array:
        """The pixels of one frame, not turned upright.

        VideoError: the stream's colour matrix has no known conversion.
        """
        tags = tags_of(frame)
        matrix = _swscale_matrix(tags.matrix, frame.height, frame.width)
        if not self._is_exact and not frame.format.is_rgb and len(frame.format.components) >= 3:
            converted = self._filtered(frame, matrix, is_full=tags.range == FULL)
            return np.asarray(converted.to_ndarray(), dtype=np.uint8)  # [H, W, 3]
        converted = self._reformatter.reformat(
            frame,
            format="rgb24",
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=tags.range or LIMITED,
            dst_color_range=FULL,
            interpolation=_TO_RGB,
        )
        return np.asarray(converted.to_ndarray(), dtype=np.uint8)  # [H, W, 3]

    def _filtered(self, frame: av.VideoFrame, matrix: int, *, is_full: bool) -> av.VideoFrame:
        """The same conversion by a filter, which takes its frames from a pool.

        Frames of a few megabytes from the C library's heap, among smaller things that come and go,
        left more holes in it than there was in use.
        """
        key = (frame.format.name, frame.height, frame.width, matrix, is_full)
        if self._filter is None or self._filter[0] != key:
            self._filter = key, _to_rgb_filter(frame, matrix, is_full=is_full)
        graph = self._filter[1]
        graph.push(frame)
        return graph.vpull()


def _to_rgb_filter(like: av.VideoFrame, matrix: int, *, is_full: bool) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=like.width, height=like.height, format=like.format, time_base=Fraction(1, 1)
    )
    options = {
        "flags": _FILTER_QUICK if like.format.name in _QUICK_FORMATS else _FILTER_EXACT,
        "in_color_matrix": _FILTER_MATRIX[matrix],
        "in_range": "full" if is_full else "limited",
        "out_range": "full",
    }
    scale = graph.add("scale", ":".join(f"{key}={value}" for key, value in options.items()))
    form = graph.add("format", "rgb24")
    graph.link_nodes(source, scale, form, graph.add("buffersink")).configure()
    return graph


class ToYuv:
    """Turns RGB pixels into frames for the encoder, tagged with what was really done."""

    def __init__(self, tags: ColourTags, pixel_format: str) -> None:
        self._reformatter = VideoReformatter()
        self._tags = tags
        self._pixel_format = pixel_format

    def __call__(self, pixels: UInt8Array) -> av.VideoFrame:
        """A frame of the wanted pixel format from uint8 [H, W, 3]; it has no pts yet."""
        height, width = pixels.shape[:2]
        tags = self._tags
        matrix = _swscale_matrix(tags.matrix, height, width)
        frame = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24"),
            format=self._pixel_format,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=FULL,
            dst_color_range=tags.range or LIMITED,
            interpolation=_TO_YUV,
        )
        return tag(frame, tags)


class ToLayout:
    """Turns YUV frames into another YUV format: depth and subsampling change, colours do not."""

    def __init__(self, pixel_format: str) -> None:
        self._reformatter = VideoReformatter()
        self._pixel_format = pixel_format

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The very same frame if it is in the format already."""
        if frame.format.name == self._pixel_format:
            return frame
        tags = tags_of(frame)
        matrix = _swscale_matrix(tags.matrix, frame.height, frame.width)
        converted = self._reformatter.reformat(
            frame,
            format=self._pixel_format,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=tags.range or LIMITED,
            dst_color_range=tags.range or LIMITED,
            interpolation=_TO_YUV,
        )
        return tag(converted, tags)


def tag(frame: av.VideoFrame, tags: ColourTags) -> av.VideoFrame:
    """The same frame, which now says of its colours what ``tags`` say."""
    frame.colorspace = tags.matrix
    frame.color_range = tags.range
    frame.color_primaries = tags.primaries
    frame.color_trc = tags.transfer
    return frame


def rgb_to_yuv(matrix: int, height: int, width: int, bits: int, *, is_full: bool) -> FloatArray:
    """What one level of R', G' and B' (columns, 0 to 255) adds to Y', Cb and Cr (rows): [3, 3].

    H.273, equations 38 to 44, without the offsets: Y' and both differences of ``bits`` bits.
    VideoError: the matrix has no known conversion.

    >>> round(float(255 * rgb_to_yuv(BT709, 720, 1280, 10, is_full=True)[0].sum()))  # white
    1023
    """
    red, blue = _LUMA_WEIGHTS[_known_matrix(matrix, height, width)]
    luma = np.array([red, 1 - red - blue, blue])
    rows = np.stack(
        [
            luma,
            (np.array([0.0, 0.0, 1.0]) - luma) / (2 - 2 * blue),
            (np.array([1.0, 0.0, 0.0]) - luma) / (2 - 2 * red),
        ]
    )
    if is_full:
        return np.asarray(rows * (2**bits - 1) / 255, np.float32)
    spans = np.array([[219.0], [224.0], [224.0]]) * 2 ** (bits - 8)
    return np.asarray(rows * spans / 255, np.float32)


def _swscale_matrix(matrix: int, height: int, width: int) -> int:
    return _SWSCALE_MATRIX[_known_matrix(matrix, height, width)]


def _known_matrix(matrix: int, height: int, width: int) -> int:
    if matrix in (RGB, UNSPECIFIED):
        matrix = matrix_by_size(height, width)
    if matrix not in _SWSCALE_MATRIX:
        raise VideoError(
            f"the video's colour matrix (H.273 code {matrix}) cannot be converted to RGB; "
            "convert the clip to BT.709 first"
        )
    return matrix
