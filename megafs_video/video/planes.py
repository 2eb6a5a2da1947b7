"""A decoded picture in its stream's own planes, into which only what changed is drawn.

A way through 8-bit RGB and back changes most samples of a YUV picture. So the decoded planes are
kept beside the RGB that was made of them, and the *difference* between that RGB and what became
of it is added to them at their own depth: where no pixel changed, that is zero, and every sample
keeps its value. What 8-bit RGB cannot hold (grain of a deeper picture, levels above white) stays
in the planes too. The working space is the stream's own coded R'G'B' (its primaries, transfer and
matrix), so pictures of high dynamic range stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from av.video.format import VideoFormat

from megafs_video.values import FloatArray, Frame, Patch, UInt8Array, patched
from megafs_video.video.colour import FULL, ToLayout, ToRgb, rgb_to_yuv, tags_of
from megafs_video.video.orientation import place_back, turn_back, turn_upright

UInt16Array = npt.NDArray[np.uint16]

_SUBSAMPLING = {
    **{(1, 1): "444", (2, 1): "422", (2, 2): "420"},
    **{(1, 2): "440", (4, 1): "411", (4, 4): "410"},
}
_DEPTHS = (8, 9, 10, 12, 14, 16)
_PROBE_SIZE = 64  # any multiple of 4: subsampling of an odd size cannot be told


def planar_format(name: str) -> str | None:
    """The planar little-endian YUV format with the very same samples; None if it is not YUV.

    >>> planar_format("nv12"), planar_format("p010le"), planar_format("rgb24")
    ('yuv420p', 'yuv420p10le', None)
    """
    format = VideoFormat(name, _PROBE_SIZE, _PROBE_SIZE)
    parts = format.components
    is_yuv = len(parts) >= 3 and not format.is_rgb and not name.startswith("xyz")
    if not is_yuv or parts[0].bits not in _DEPTHS:
        return None
    steps = (parts[0].width // parts[1].width, parts[0].height // parts[1].height)
    alpha = "a" if len(parts) == 4 else ""
    depth = "" if parts[0].bits == 8 else f"{parts[0].bits}le"
    return f"yuv{alpha}{_SUBSAMPLING[steps]}p{depth}"


class DecodedPicture:
    """One picture as it was decoded, and the upright RGB that it shows.

    >>> frame = av.VideoFrame(64, 48, "yuv420p")
    >>> DecodedPicture.of(frame, np.zeros((48, 64, 3), np.uint8), (1, 0, 0, 0, 1)) is None
    False
    """

    def __init__(
        self, native: av.VideoFrame, pixels: UInt8Array, matrix: Sequence[int], planar: str
    ) -> None:
        self._matrix = tuple(matrix)  # how players turn ``native``
        self._native = native
        self._planar = planar
        # [H, W, 3] RGB, upright, and what is drawn over it: what ``native`` shows.
        self._pixels = pixels
        self._patch: Patch | None = None

    @staticmethod
    def of(
        native: av.VideoFrame, pixels: UInt8Array, matrix: Sequence[int]
    ) -> DecodedPicture | None:
        """The picture, or None if it is not YUV (RGB, grey, a palette): then RGB says it all."""
        planar = planar_format(native.format.name)
        return None if planar is None else DecodedPicture(native, pixels, matrix, planar)

    @property
    def native(self) -> av.VideoFrame:
        """The picture as it is stored, with whatever it carries."""
        return self._native

    def showing(self, pixels: UInt8Array, patch: Patch | None = None) -> av.VideoFrame:
        """The picture with ``pixels`` (upright [H, W, 3]) in it, as stored: planar YUV.

        The same object every time; asked again with other pixels, it shows those. What differs
        is looked for everywhere, unless they are what was decoded and a patch over it.
        """
        # Another order of the same samples, if any: no value changes.
        native = self._native = ToLayout(self._planar)(self._native)
        _bound(native)
        if pixels is self._pixels and self._patch is None:
            if patch is not None:
                self._draw(patch.over(pixels), patch)
        elif pixels is not self._pixels or patch is not self._patch:
            before, after = patched(self._pixels, self._patch), patched(pixels, patch)
            if (change := _changed_part(before, after)) is not None:
                self._draw(change.over(before), change)
        self._pixels, self._patch = pixels, patch
        return native

    def rgb(self, pixels: UInt8Array, patch: Patch | None = None) -> UInt8Array:
        """``showing`` them as players show it: upright [H, W, 3], converted exactly."""
        return turn_upright(ToRgb()(self.showing(pixels, patch)), self._matrix)

    def _draw(self, before: UInt8Array, after: Patch) -> None:
        """Add the difference of two upright RGB pictures of one part [h, w, 3] to the planes."""
        left, top = place_back(
            after.left, after.top, after.pixels.shape, self._pixels.shape, self._matrix
        )
        _draw(
            self._native,
            turn_back(before, self._matrix),
            turn_back(after.pixels, self._matrix),
            left,
            top,
        )


def shown_pixels(frame: Frame) -> UInt8Array:
    """What a frame shows once it is written: uint8 [H, W, 3] RGB.

    ``Frame.pixels`` is for looking at: ``read_frames`` converts quickly where it can.
    """
    if isinstance(frame.decoded, DecodedPicture):
        return frame.decoded.rgb(frame.pixels, frame.patch)
    return frame.shown


def _bound(native: av.VideoFrame) -> None:
    """Keep samples within their depth: where a file is damaged decoders leave others, on which
    an encoder ends the whole process.
    """
    bits = native.format.components[0].bits
    if bits in (8, 16):
        return
    for index in range(len(native.planes)):
        if _samples(native, index).max() >= 2**bits:
            native.make_writable()
            samples = _samples(native, index)
            np.minimum(samples, 2**bits - 1, out=samples)


def _changed_part(before: UInt8Array, after: UInt8Array) -> Patch | None:
    """The smallest part of ``after`` around the pixels that differ, if any do.

    Pixels are compared several samples at a time, so it may be a pixel or two too wide.
    """
    before, after = np.ascontiguousarray(before), np.ascontiguousarray(after)
    height, width, channels = before.shape
    row_bytes = width * channels
    word_bytes = next(size for size in (8, 4, 2, 1) if row_bytes % size == 0)
    old, new = (each.reshape(height, row_bytes).view(f"u{word_bytes}") for each in (before, after))
    differs = old != new  # [H, words of a row]
    rows = np.flatnonzero(differs.any(axis=1))
    if len(rows) == 0:
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    words = np.flatnonzero(differs[top:bottom].any(axis=0))
    left = int(words[0]) * word_bytes // channels
    right = -(-(int(words[-1]) + 1) * word_bytes // channels)
    return Patch(left, top, after[top:bottom, left:right])


def _draw(
    native: av.VideoFrame, before: UInt8Array, after: UInt8Array, left: int, top: int
) -> None:
    """Add the difference of two RGB pictures [h, w, 3] of a part of ``native`` to its planes."""
    import cv2

    parts = native.format.components
    # By the format, not by the size: half of an odd size says nothing.
    across, down = _steps(native.format.name)
    change = cv2.subtract(after, before, dtype=cv2.CV_32F)  # [h, w, 3] RGB
    bottom, right = top + change.shape[0], left + change.shape[1]
    # Whole chroma samples, as far as the picture has them: around the part nothing changes.
    margins = (
        (top % down, min(-bottom % down, native.height - bottom)),
        (left % across, min(-right % across, native.width - right)),
    )
    if any(map(any, margins)):
        (above, below), (beside, behind) = margins
        change = cv2.copyMakeBorder(
            change, above, below, beside, behind, cv2.BORDER_CONSTANT, value=(0, 0, 0)
        )
    left, top = left - left % across, top - top % down

    tags = tags_of(native)
    is_full = tags.range == FULL
    matrix = rgb_to_yuv(tags.matrix, native.height, native.width, parts[0].bits, is_full=is_full)
    native.make_writable()
    means = _block_means(change, across, down)
    for index, seen in enumerate((change, means, means)):
        added = cv2.transform(seen, matrix[index : index + 1])  # [h', w']
        step_x, step_y = (1, 1) if index == 0 else (across, down)
        y, x = top // step_y, left // step_x
        place = _samples(native, index)[y : y + added.shape[0], x : x + added.shape[1]]
        if place.dtype == np.uint8:
            place[:] = cv2.add(place, added, dtype=cv2.CV_8U)  # rounded, saturated
        else:
            place[:] = np.clip(place + np.rint(added), 0, 2 ** parts[0].bits - 1)


def has_alpha(name: str) -> bool:
    """Whether pictures of a format have transparent parts.

    >>> has_alpha("yuva420p"), has_alpha("yuv420p")
    (True, False)
    """
    parts = VideoFormat(name, _PROBE_SIZE, _PROBE_SIZE).components
    return any(part.is_alpha for part in parts)


def bits_of(name: str) -> int:
    """Bits of one sample of a format.

    >>> bits_of("yuv422p10le")
    10
    """
    return int(VideoFormat(name, _PROBE_SIZE, _PROBE_SIZE).components[0].bits)


def _steps(name: str) -> tuple[int, int]:
    """Pixels to one chroma sample, across and down."""
    parts = VideoFormat(name, _PROBE_SIZE, _PROBE_SIZE).components
    return parts[0].width // parts[1].width, parts[0].height // parts[1].height


def _block_means(change: FloatArray, step_x: int, step_y: int) -> FloatArray:
    """Means [H', W', 3] of [H, W, 3] float32 over blocks of pixels.

    At the right and lower border of the picture they are the means over what there is of a block.
    """
    import cv2

    if step_x == step_y == 1:
        return change
    height, width = change.shape[:2]
    if height % step_y or width % step_x:
        change = np.pad(change, ((0, -height % step_y), (0, -width % step_x), (0, 0)), mode="edge")
    size = (change.shape[1] // step_x, change.shape[0] // step_y)
    return np.asarray(cv2.resize(change, size, interpolation=cv2.INTER_AREA))


def _samples(native: av.VideoFrame, index: int) -> UInt8Array | UInt16Array:
    """A writable view [H', W'] of a plane: uint8, or uint16 for deeper pictures."""
    plane = native.planes[index]
    dtype = np.uint8 if native.format.components[0].bits == 8 else np.dtype("<u2")
    rows = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)
    return cast(UInt8Array | UInt16Array, rows[:, : plane.width])
