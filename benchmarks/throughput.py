"""What does the way through the pipeline cost beside decoding and encoding alone?

Run: python -m benchmarks.throughput [--clip CLIP] [--frames 250] [--runs 3] [--smooth off]

The networks are replaced by a pass-through: a face of a quarter of the width moves in
every frame, its crop comes out of the "generator" as it went in, and everything else is what a
swap does: alignment, smoothing, masks, blending, the planes, sound. Against it stand the program
``ffmpeg`` (on the PATH, or the one of the package ``imageio-ffmpeg``) and the FFmpeg inside PyAV,
which decode the same clip and encode it with the same encoder, preset and quality. All take turns
in one run; the best of each counts. ``OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=10000`` in the
environment is what the command line sets for itself (``megafs_video.waiting``).
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import Any

import av
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from megafs_video import SwapOptions, swap_video
from megafs_video.faces.libraries import opencv
from megafs_video.geometry.squares import Square
from megafs_video.networks.dims import Dims
from megafs_video.pipeline.prepare import Finders
from megafs_video.pipeline.report import SwapReport
from megafs_video.values import Face, Latents, UInt8Array
from megafs_video.video.encoders import choose_encoding
from megafs_video.video.probe import probe
from tests.faces.fakes import FakeLandmarker, FakeRecognizer, face_in

CLIP = Path(__file__).parents[1] / "examples" / "target.mp4"
FACE_SHARE = (
    1 / 4
)  # of the picture's shorter side: that of the real face in a clip of a speaking person
TARGET_RATIO = 0.70


class PassThrough:
    """Gives back the crops that it was given, with codes of the default model's size."""

    name = "pass-through"
    dims = Dims()
    device = torch.device("cpu")
    dtype = torch.float32
    engine = "torch"
    hashes: dict[str, str] = {}  # noqa: RUF012

    def __init__(self) -> None:
        self._crops: deque[Tensor] = deque()  # on their way from ``encode`` to ``generate``
        constant = torch.ones(1, self.dims.constant_channels, 4, 4)
        self._codes = Latents(constant, torch.ones(1, self.dims.num_styles, self.dims.style_size))

    def encode(self, pixels: Tensor) -> Latents:
        """Constant codes; the crops wait."""
        self._crops.extend(pixels.split(1))
        return Latents.concat([self._codes] * len(pixels))

    def transfer(self, source: Latents, target: Latents) -> Latents:
        """The target's codes."""
        return target

    def generate(self, latents: Latents) -> Tensor:
        """The crops, in the order in which they came."""
        crops = [self._crops.popleft() for _ in range(len(latents))]
        return torch.cat(crops) if len(crops) > 1 else crops[0]


class PassingFace:
    """A detector that finds one face in every picture, a little further each time."""

    def __init__(self, height: int, width: int) -> None:
        opencv().setNumThreads(1)  # as every detector of ours does: the stages overlap already
        side = 2 * FACE_SHARE * min(height, width)  # an FFHQ square is twice as wide as its face
        sways = 0.05 * side * np.sin(np.linspace(0, 2 * np.pi, 63, endpoint=False))
        squares = [Square(width / 2 + sway, height / 2, side, 0.0) for sway in sways]
        # Made beforehand: the time of a stand-in is not that of the pipeline.
        self._faces = cycle([face_in(square) for square in squares])

    def detect(self, pixels: UInt8Array) -> list[Face]:
        """One face about the middle."""
        return [next(self._faces)]


def main() -> int:
    """Print the table; 1 if the pipeline is slower than the target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--frames", type=int, default=250)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--codec", default="h264")
    parser.add_argument("--preset")
    parser.add_argument("--smooth", default=SwapOptions().smooth)
    chosen = parser.parse_args()
    program = ffmpeg_program()
    with tempfile.TemporaryDirectory() as folder:
        clip = shorten(chosen.clip, Path(folder) / f"clip{chosen.clip.suffix}", chosen.frames)
        encoding = choose_encoding(Path("out.mp4"), chosen.codec, None, chosen.preset)
        options = dict(encoding.options)
        encoder = encoding.codec.encoder
        reports: list[SwapReport] = []
        ways: dict[str, Callable[[Path], int]] = {
            "megafs-video, networks passed through": lambda output: swap_through(
                clip,
                output,
                SwapOptions(codec=chosen.codec, preset=chosen.preset, smooth=chosen.smooth),
                reports,
            ),
            "PyAV's FFmpeg, decode and encode": lambda output: reencode(
                clip, output, encoder, options
            ),
        }
        if program is not None:
            ways[f"the program {program.name}"] = lambda output: run_ffmpeg(
                program, clip, output, encoder, options
            )
        best = dict.fromkeys(ways, float("inf"))
        num_frames = 0
        for _ in range(chosen.runs):
            for way, run in ways.items():
                output = Path(folder) / "out.mp4"
                started = perf_counter()
                num_frames = run(output)
                best[way] = min(best[way], perf_counter() - started)
                output.unlink()
        info = probe(clip)
    ours, *others = best.values()
    table = Table("", "frames a second", "of ours to it")
    table.title = (
        f"{chosen.clip.name}, {info.width}x{info.height} {info.codec}, {num_frames} frames, "
        f"to {encoder} {' '.join(f'{key}={value}' for key, value in options.items())}"
    )
    for way, seconds in best.items():
        table.add_row(way, f"{num_frames / seconds:.1f}", f"{seconds / ours:.1%}")
    table.add_section()
    for stage, seconds in reports[-1].seconds_per_stage.items():
        table.add_row(f"{stage}, ms a frame", f"{1000 * seconds / num_frames:.2f}", "")
    Console(width=110).print(table)
    ratio = others[-1] / ours  # the program's, if there is one
    print(f"--smooth {chosen.smooth}: {ratio:.1%}; wanted at least {TARGET_RATIO:.0%}")
    return int(ratio < TARGET_RATIO)


def ffmpeg_program() -> Path | None:
    """The user's own ffmpeg, else the one that a package brings, else none."""
    if (found := shutil.which("ffmpeg")) is not None:
        return Path(found)
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        return None
    import imageio_ffmpeg

    return Path(imageio_ffmpeg.get_ffmpeg_exe())


def shorten(clip: Path, output: Path, num_frames: int) -> Path:
    """The first packets of the picture and of the sound beside them, copied."""
    with av.open(str(clip)) as source, av.open(str(output), "w") as container:
        picture = source.streams.video[0]
        streams = [picture, *source.streams.audio]
        copies = {s.index: container.add_stream_from_template(s, opaque=True) for s in streams}
        count = 0
        for packet in source.demux(streams):
            if packet.size == 0:
                continue
            count += packet.stream.index == picture.index
            if count > num_frames:
                break
            packet.stream = copies[packet.stream.index]
            container.mux(packet)
    return output


def swap_through(clip: Path, output: Path, options: SwapOptions, reports: list[SwapReport]) -> int:
    """Our way."""
    source = np.full((512, 512, 3), 128, np.uint8)
    info = probe(clip)
    report = swap_video(
        source,
        clip,
        output,
        model=PassThrough(),
        options=options,
        finders=Finders(PassingFace(info.height, info.width), FakeLandmarker(), FakeRecognizer()),
    )
    reports.append(report)
    return report.frames


def reencode(clip: Path, output: Path, encoder: str, options: dict[str, str]) -> int:
    """Plain PyAV, with threads in the decoder and in the encoder."""
    count = 0
    with av.open(str(clip)) as source, av.open(str(output), "w") as container:
        picture = source.streams.video[0]
        picture.thread_type = "AUTO"
        stream: Any = container.add_stream(encoder, rate=picture.average_rate, options=options)
        stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, picture.pix_fmt
        stream.time_base = stream.codec_context.time_base = Fraction(picture.time_base or 1)
        sounds = {s.index: container.add_stream_from_template(s) for s in source.streams.audio}
        for packet in source.demux([picture, *source.streams.audio]):
            if packet.stream.index in sounds:
                if packet.size:
                    packet.stream = sounds[packet.stream.index]
                    container.mux(packet)
                continue
            for frame in packet.decode():
                frame.pict_type = 0
                container.mux(stream.encode(frame))
                count += 1
        container.mux(stream.encode(None))
    return count


def run_ffmpeg(
    program: Path, clip: Path, output: Path, encoder: str, options: dict[str, str]
) -> int:
    """The program, with threads as it likes."""
    words = [str(program), "-v", "error", "-nostdin", "-y", "-i", str(clip), "-map", "0:v:0"]
    words += ["-map", "0:a?", "-c:a", "copy", "-fps_mode", "passthrough", "-c:v", encoder]
    for key, value in options.items():
        words += [f"-{key}", value]
    subprocess.run([*words, str(output)], check=True)
    with av.open(str(output)) as container:
        return container.streams.video[0].frames


if __name__ == "__main__":
    sys.exit(main())
