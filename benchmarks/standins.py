"""Stand-ins for networks, which remember nothing, and clips for them to work on.

What they answer depends on the pixels they are given and on nothing else, so that a run that is
taken up in the middle meets the same answers. Sizes are the default model's.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from megafs_video.geometry.squares import Square
from megafs_video.networks.dims import Dims
from megafs_video.pipeline.prepare import Finders
from megafs_video.values import Face, FloatArray, Latents, UInt8Array
from tests.clips import add_sound, write_sound
from tests.faces.fakes import FakeLandmarker, face_in

STEP = 8  # pixels: the detector looks at every so many
BRIGHT = 150  # levels: a face is brighter, all else darker


class StandIn:
    """A model whose codes are the colours of the crop, coarsely, and whose picture shows them."""

    name = "stand-in"
    engine = "torch"
    dims = Dims()
    device = torch.device("cpu")
    dtype = torch.float32
    hashes: dict[str, str] = {}  # noqa: RUF012

    def encode(self, pixels: Tensor) -> Latents:
        """Means of 4x4 places in C, of all in the styles."""
        dims = self.dims
        places = functional.adaptive_avg_pool2d(pixels, 4)  # [N, 3, 4, 4]
        constant = places.repeat(1, dims.constant_channels // 3 + 1, 1, 1)
        means = places.mean(dim=(1, 2, 3))[:, None, None]  # [N, 1, 1]
        return Latents(
            constant[:, : dims.constant_channels],
            means.expand(-1, dims.num_styles, dims.style_size).clone(),
        )

    def transfer(self, source: Latents, target: Latents) -> Latents:
        """Half of each."""
        return Latents((source.constant + target.constant) / 2, (source.styles + target.styles) / 2)

    def generate(self, latents: Latents) -> Tensor:
        """The colours of C, as bright as the styles."""
        size = self.dims.resolution
        places = latents.constant[:, :3] + latents.styles.mean(dim=(1, 2))[:, None, None, None]
        return functional.interpolate(places.clamp(-1, 1), (size, size))


class BrightFinder:
    """Takes the bright part of a dark picture for a face."""

    def detect(self, pixels: UInt8Array) -> list[Face]:
        bright = pixels[::STEP, ::STEP, 1] > BRIGHT  # [h, w]
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        if len(rows) == 0:
            return []
        side = 2.0 * STEP * (columns[-1] - columns[0] + 1)
        center_x, center_y = STEP * columns.mean(), STEP * rows.mean()
        return [face_in(Square(float(center_x), float(center_y), side, 0.0))]


class ColourTeller:
    """Takes the colour in the middle of a face for its identity."""

    def embed(self, pixels: UInt8Array, face: Face) -> FloatArray:
        x, y = ((face.box_xyxy[:2] + face.box_xyxy[2:]) / 2).astype(int)
        colour = pixels[y, x].astype(np.float64) + 1
        return np.asarray(colour / np.linalg.norm(colour))


def make_finders() -> Finders:
    """Finders that need no model file."""
    return Finders(BrightFinder(), FakeLandmarker(), ColourTeller())


def picture(index: int, height: int, width: int, ground: UInt8Array) -> UInt8Array:
    """A bright head that sways and trembles before a still ground [height, width, 3]."""
    side = min(height, width) // 4
    trembling = np.random.default_rng(index).uniform(-0.02, 0.02, 2) * side
    top = int(height / 2 - side / 2 + 0.2 * side * np.sin(index / 17) + trembling[0])
    left = int(width / 2 - side / 2 + side * np.sin(index / 40) + trembling[1])
    pixels = ground.copy()
    shade = np.linspace(165, 225, side).astype(np.uint8)[:, None, None]
    pixels[top : top + side, left : left + side] = shade + np.uint8(index % 20)
    return pixels


def make_clip(path: Path, height: int, width: int, num_frames: int, rate: int = 25) -> Path:
    """A clip with sound."""
    random = np.random.default_rng(0)
    ground = np.repeat(random.integers(20, 90, (height // 8, width // 8, 3), np.uint8), 8, axis=0)
    ground = np.ascontiguousarray(np.repeat(ground, 8, axis=1))
    options = {"preset": "ultrafast", "crf": "23", "g": "50", "bf": "2"}
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=rate, options=options)
        stream.height, stream.width = ground.shape[:2]
        stream.pix_fmt = "yuv420p"
        sound = add_sound(container)
        for index in range(num_frames):
            frame = av.VideoFrame.from_ndarray(
                picture(index, *ground.shape[:2], ground), format="rgb24"
            )
            frame.pts, frame.time_base = index, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        write_sound(container, sound, num_frames / rate)
    return path


def repeated(clip: Path, path: Path, seconds: int, times: int) -> Path:
    """The packets of a clip of so many whole seconds, so many times; nothing is encoded again."""
    with av.open(str(path), "w") as container:
        with av.open(str(clip)) as first:
            copies = [container.add_stream_from_template(each) for each in first.streams]
        for number in range(times):
            with av.open(str(clip)) as again:
                for packet in again.demux():
                    length = int(seconds / packet.time_base)
                    if packet.size and packet.pts is not None and 0 <= packet.pts < length:
                        packet.pts += number * length
                        packet.dts = (
                            packet.dts + number * length if packet.dts is not None else None
                        )
                        packet.stream = copies[packet.stream_index]
                        container.mux_one(packet)
    return path


SOURCE: UInt8Array = picture(0, 512, 512, np.full((512, 512, 3), 40, np.uint8))
