"""Stand-ins behind the pipeline's contracts: no weights, no network, exact arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor

from megafs_video.geometry.squares import Square
from megafs_video.networks.dims import TINY, Dims
from megafs_video.pipeline.prepare import Finders
from megafs_video.values import (
    AlignedCrop,
    EncodedFace,
    Face,
    FloatArray,
    Frame,
    FrameFaces,
    Latents,
    SwappedCrop,
    UInt8Array,
)
from tests.faces.fakes import FakeLandmarker, face_in

CROP_SIZE = TINY.crop_size
FRAME_HEIGHT, FRAME_WIDTH = 90, 120
TIME_BASE = Fraction(1, 30)


class FakeModel:
    """A model whose codes are the crop's mean colour, so every result can be worked out.

    C and the low codes stay the target's, the high codes become the source's, and the picture
    is flat: red from the first code, green from the last, blue from C.
    """

    name = "fake"
    dims: Dims = TINY
    device = torch.device("cpu")
    dtype = torch.float32
    engine = "torch"

    def __init__(self) -> None:
        self.dtype = torch.float32
        self.hashes = {"fake.safetensors": "0" * 64}
        self.batch_sizes: list[int] = []

    def encode(self, pixels: Tensor) -> Latents:
        self.batch_sizes.append(len(pixels))
        mean = pixels.mean(dim=(1, 2, 3))  # [N]
        dims = self.dims
        return Latents(
            mean[:, None, None, None].expand(-1, dims.constant_channels, 4, 4).clone(),
            mean[:, None, None].expand(-1, dims.num_styles, dims.style_size).clone(),
        )

    def transfer(self, source: Latents, target: Latents) -> Latents:
        num_low = self.dims.num_low
        high = source.styles[:, num_low:].expand(len(target), -1, -1)
        return Latents(target.constant, torch.cat([target.styles[:, :num_low], high], dim=1))

    def generate(self, latents: Latents) -> Tensor:
        size = self.dims.resolution
        colour = torch.stack(
            [latents.styles[:, 0, 0], latents.styles[:, -1, 0], latents.constant[:, 0, 0, 0]], dim=1
        )  # [N, 3]
        return colour[:, :, None, None].expand(-1, -1, size, size)


@dataclass
class Spy:
    """Items that count how far they were read, and whether they were closed."""

    items: Sequence[FrameFaces[object]]
    fails_after: int | None = None
    num_read: int = 0
    is_closed: bool = False
    error: BaseException = field(default_factory=lambda: ValueError("the spy was told to fail"))

    def __iter__(self) -> Iterator[FrameFaces[object]]:
        try:
            for index, item in enumerate(self.items):
                if index == self.fails_after:
                    raise self.error
                self.num_read += 1
                yield item
        finally:
            self.is_closed = True


def make_frame(index: int = 0, *, pts: int | None = None, level: int = 40) -> Frame:
    """A frame of noise about ``level``, different for each index."""
    noise = np.random.default_rng(index).integers(-20, 21, (FRAME_HEIGHT, FRAME_WIDTH, 3))
    pixels = np.clip(level + noise, 0, 255).astype(np.uint8)
    return Frame(pixels, index if pts is None else pts, TIME_BASE)


def frame_to_crop(center_xy: tuple[float, float], side: float) -> FloatArray:
    """The upright square about a centre, drawn at the size of a crop."""
    scale = CROP_SIZE / side
    middle = (CROP_SIZE - 1) / 2
    x, y = center_xy
    return np.array([[scale, 0.0, middle - scale * x], [0.0, scale, middle - scale * y]])


def make_crop(track_id: int = 0, *, level: int = 100) -> AlignedCrop:
    """A flat crop that belongs at a place of its own for each track."""
    pixels = np.full((CROP_SIZE, CROP_SIZE, 3), level, np.uint8)
    low, high = CROP_SIZE * 0.25, CROP_SIZE * 0.75
    outline_xy = np.array([[low, low], [high, low], [high, high], [low, high]])
    place = frame_to_crop((30.0 + 30.0 * track_id, 45.0), 40.0)
    return AlignedCrop(track_id, pixels, place, outline_xy)


def make_latents(value: float) -> Latents:
    """Codes that are all ``value``."""
    return Latents(
        torch.full((1, TINY.constant_channels, 4, 4), value),
        torch.full((1, TINY.num_styles, TINY.style_size), value),
    )


def make_encoded(track_id: int = 0, *, value: float = 0.0) -> EncodedFace:
    """A face whose codes are all ``value``."""
    return EncodedFace(track_id, make_crop(track_id), make_latents(value))


def make_mask() -> FloatArray:
    """1 in the middle, 0 in the outer quarter, a short ramp between."""
    steps = np.minimum(np.arange(CROP_SIZE), np.arange(CROP_SIZE)[::-1]) - CROP_SIZE / 4
    ramp = np.clip(steps / 4, 0, 1)
    return np.minimum(ramp[:, None], ramp[None, :]).astype(np.float32)


def make_swapped(
    track_id: int = 0,
    *,
    level: int = 200,
    size: int = 32,
    center_xy: tuple[float, float] | None = None,
    side: float = 40.0,
) -> SwappedCrop:
    """A flat swapped face of ``size`` pixels that fills a square of the frame."""
    center_xy = center_xy or (30.0 + 30.0 * track_id, 45.0)
    pixels = np.full((size, size, 3), level, np.uint8)
    place = frame_to_crop(center_xy, side)
    return SwappedCrop(track_id, pixels, make_mask(), place)


FACES_PER_FRAME = (1, 0, 2, 1, 3, 0, 0, 1, 1, 2, 0, 1)
"""None, one and several: what every stage has to cope with."""


def track_ids(
    items: Iterable[FrameFaces[AlignedCrop | EncodedFace | SwappedCrop]],
) -> list[list[int]]:
    """Which faces each frame has."""
    return [[face.track_id for face in item.faces] for item in items]


class BrightDetector:
    """Takes every bright patch on a dark ground for a face, at least 8 pixels wide."""

    def detect(self, pixels: UInt8Array) -> list[Face]:
        bright = pixels.mean(axis=2) > 140  # [H, W]
        columns = np.flatnonzero(np.diff(np.concatenate([[0], bright.any(axis=0), [0]])))
        faces = []
        for left, right in columns.reshape(-1, 2):
            rows = np.flatnonzero(bright[:, left:right].any(axis=1))
            if right - left >= 8:
                center_y = (rows[0] + rows[-1]) / 2
                square = Square((left + right - 1) / 2, center_y, 1.6 * (right - left), 0.0)
                faces.append(face_in(square))
        return faces


class TintRecognizer:
    """Takes the tint in the middle of a face for its identity; the dark ground is like nobody."""

    def embed(self, pixels: UInt8Array, face: Face) -> FloatArray:
        x, y = ((face.box_xyxy[:2] + face.box_xyxy[2:]) / 2).astype(int)
        # A little of the same in everybody: grey has a direction too.
        common = 20.0 if pixels[y, x].mean() > 100 else -20.0
        tint = np.append(pixels[y, x] - pixels[y, x].mean(), common)
        return np.asarray(tint / np.linalg.norm(tint))


def make_finders() -> Finders:
    """Finders that need no model file."""
    return Finders(BrightDetector(), FakeLandmarker(), TintRecognizer())


Level = int | tuple[int, int, int]


def draw(
    patches: Sequence[tuple[float, float, Level]], *, height: int = 120, width: int = 160
) -> UInt8Array:
    """A dark picture with bright square patches (centre x, centre y, level), 40 pixels wide."""
    pixels = np.full((height, width, 3), 30, np.uint8)
    for x, y, level in patches:
        left, top = round(x) - 20, round(y) - 20
        pixels[max(0, top) : top + 40, max(0, left) : left + 40] = level
    return pixels


def write_clip(
    path: Path, pictures: Sequence[UInt8Array], pts: Sequence[int] | None = None
) -> Path:
    """A clip of pictures, nearly lossless; ``pts`` count in 1/30 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv444p"
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        stream.options = {"crf": "4", "preset": "ultrafast"}
        for index, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = index if pts is None else pts[index]
            frame.time_base = TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
