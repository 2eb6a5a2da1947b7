"""Does a clip of every kind come out as it went in, but for the face?

Run: python -m benchmarks.matrix [--only TEXT]

Makes 68 small clips: encoder, depth and subsampling by container, constant or variable rate,
upright or turned, the picture alone or with two sound tracks, subtitles, chapters and metadata.
In the place of the networks a rectangle is painted. Plain PyAV then reads what went in and what
came out, and a table says whether times, copied packets and tags are equal, and whether outside
the rectangle every sample that went to the encoder is the one that was decoded.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from megafs_video.video.planes import DecodedPicture
from megafs_video.video.read import read_frames
from megafs_video.video.write import VideoWriter
from tests.clips import SOUND_RATE, numbered_picture, variable_pts

Samples = npt.NDArray[Any]

HEIGHT, WIDTH, NUM_FRAMES = 96, 128, 12
TIME_BASE = Fraction(1, 1000)
RECTANGLE = np.s_[40:71, 33:62]  # of the upright picture, on no border of a chroma sample

# Container: encoder, pixel format and the --codec that writes it again.
KINDS = {
    ".mp4": (
        ("libx264", "yuv420p", "h264"),
        ("libx264", "yuv422p", "h264"),
        ("libx264", "yuv444p", "h264"),
        ("libx265", "yuv420p10le", "hevc"),
        ("libx265", "yuv422p10le", "hevc"),
        ("libx265", "yuv444p10le", "hevc"),
        ("libsvtav1", "yuv420p10le", "av1"),
    ),
    ".mov": (
        ("libx264", "yuv420p", "h264"),
        ("libx265", "yuv420p10le", "hevc"),
        ("prores_ks", "yuv422p10le", "prores"),
    ),
    ".mkv": (
        ("libx264", "yuv420p", "h264"),
        ("libx265", "yuv420p12le", "hevc"),
        ("ffv1", "yuv444p10le", "ffv1"),
        ("libvpx-vp9", "yuv420p", "vp9"),
    ),
    ".webm": (
        ("libvpx-vp9", "yuv420p", "vp9"),
        ("libvpx-vp9", "yuv444p", "vp9"),
        ("libsvtav1", "yuv420p10le", "av1"),
    ),
}
FASTEST = {"libx264": "ultrafast", "libx265": "ultrafast", "libsvtav1": "10"}


@dataclass(frozen=True)
class Kind:
    """One clip of the matrix."""

    suffix: str
    encoder: str
    pixel_format: str
    codec: str
    is_variable: bool
    is_turned: bool
    is_rich: bool  # sound, subtitles, chapters, metadata

    @property
    def name(self) -> str:
        rate = "variable" if self.is_variable else "constant"
        turn = "turned" if self.is_turned else "upright"
        streams = "rich" if self.is_rich else "plain"
        return f"{self.suffix} {self.codec} {self.pixel_format} {rate} {turn} {streams}"


def kinds() -> Iterator[Kind]:
    """All combinations; every second one is rich."""
    number = 0
    for suffix, encodings in KINDS.items():
        for encoding in encodings:
            for is_variable in (False, True):
                for is_turned in (False, True):
                    # Three turns of four: rich and plain meet every rate and every turn.
                    yield Kind(suffix, *encoding, is_variable, is_turned, number % 3 != 0)
                    number += 1


def make(kind: Kind, path: Path) -> Path:
    """The clip that goes in."""
    pts = variable_pts(NUM_FRAMES) if kind.is_variable else range(0, 40 * NUM_FRAMES, 40)
    with av.open(str(path), "w") as container:
        preset = {"preset": FASTEST[kind.encoder]} if kind.encoder in FASTEST else {}
        quiet = {"x265-params": "log-level=error"} if kind.encoder == "libx265" else {}
        stream: Any = container.add_stream(kind.encoder, rate=25, options=preset | quiet)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, kind.pixel_format
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        stream.colorspace, stream.color_range = 1, 1
        stream.color_primaries, stream.color_trc = 1, 1
        if kind.is_turned:
            stream.set_display_rotation(-90)
        sounds = add_streams(container, kind) if kind.is_rich else []
        for number, tick in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number), format="rgb24")
            frame.pts, frame.time_base = tick, TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for number, sound in enumerate(sounds):
            play(container, sound, 200 + 100 * number)
    return path


def add_streams(container: Any, kind: Kind) -> list[Any]:
    """Two sound tracks; what belongs to the whole file beside them."""
    container.metadata.update(title="A clip", comment="of the matrix")
    chapters = [(1, 0, 200, "one"), (2, 200, 400, "two")]
    container.set_chapters(
        [
            {"id": n, "start": a, "end": b, "time_base": TIME_BASE, "metadata": {"title": title}}
            for n, a, b, title in chapters
        ]
    )
    sounds = []
    for language in ("eng", "deu"):
        codec = "aac" if kind.suffix in (".mp4", ".mov") else "libopus"
        sound = container.add_stream(codec, rate=SOUND_RATE, layout="stereo")
        sound.metadata["language"] = language
        sounds.append(sound)
    return sounds


def play(container: Any, stream: Any, hertz: int) -> None:
    """Half a second of a tone."""
    samples = 1024 if stream.name == "aac" else 960
    for start in range(0, SOUND_RATE // 2, samples):
        tone = 0.3 * np.sin(2 * np.pi * hertz * (start + np.arange(samples)) / SOUND_RATE)
        frame = av.AudioFrame.from_ndarray(
            np.stack([tone, -tone]).astype(np.float32), format="fltp", layout="stereo"
        )
        frame.pts, frame.rate, frame.time_base = start, SOUND_RATE, Fraction(1, SOUND_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def swap(kind: Kind, source: Path, output: Path) -> bool:
    """Write the clip with a rectangle in it; whether the samples around it are the decoded ones."""
    preset = FASTEST.get(kind.encoder)
    is_untouched = True
    with (
        av.open(str(source)) as container,
        VideoWriter(output, like=source, codec=kind.codec, preset=preset) as writer,
    ):
        for frame, native in zip(read_frames(source), container.decode(video=0), strict=True):
            pixels = frame.pixels.copy()
            pixels[RECTANGLE] = (200, 90, 40)
            assert isinstance(frame.decoded, DecodedPicture)
            shown = frame.decoded.showing(pixels)
            is_untouched &= around_is_equal(native, shown, is_turned=kind.is_turned)
            writer.write(replace(frame, pixels=pixels))
    return is_untouched


def around_is_equal(before: av.VideoFrame, after: av.VideoFrame, *, is_turned: bool) -> bool:
    """Whether no sample differs that lies under no pixel of the rectangle, and some under it do."""
    upright = np.zeros((WIDTH, HEIGHT) if is_turned else (HEIGHT, WIDTH), bool)
    upright[RECTANGLE] = True
    inside = np.rot90(upright) if is_turned else upright  # as it is stored
    differences = []
    for old, new in zip(planes(before), planes(after), strict=True):
        down, across = HEIGHT // old.shape[0], WIDTH // old.shape[1]
        blocks = inside.reshape(old.shape[0], down, old.shape[1], across).any(axis=(1, 3))
        differences.append(old != new)
        if differences[-1][~blocks].any():
            return False
    return bool(differences[0][inside].mean() > 0.5)


def planes(frame: av.VideoFrame) -> list[Samples]:
    """Every plane [H, W]."""
    dtype = np.uint8 if frame.format.components[0].bits == 8 else np.dtype("<u2")
    return [
        np.frombuffer(bytes(plane), dtype).reshape(plane.height, -1)[:, : plane.width]
        for plane in frame.planes
    ]


def times(path: Path) -> list[Fraction]:
    """When each frame is shown, seconds."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]  # type: ignore[operator]


def packets(path: Path) -> list[list[tuple[Fraction, bytes]]]:
    """Time and payload of every copied packet, by stream."""
    found: dict[int, list[tuple[Fraction, bytes]]] = {}
    with av.open(str(path)) as container:
        # Asked for no stream at all, demux gives every one.
        for packet in container.demux(container.streams.audio) if container.streams.audio else ():
            if packet.size:
                entry = (packet.pts * packet.time_base, bytes(packet))  # type: ignore[operator]
                found.setdefault(packet.stream.index, []).append(entry)
    return list(found.values())


def tags(path: Path) -> list[object]:
    """What the file says about itself."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        colours = (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)
        return [
            *(colours, frame.rotation, frame.format.name, stream.disposition),
            [(s.metadata.get("language"), s.disposition) for s in container.streams.audio],
            {key.lower(): container.metadata.get(key) for key in ("title", "COMMENT", "comment")},
            [chapter["metadata"] for chapter in container.chapters()],
        ]


def main() -> int:
    """Print the table; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="clips whose row holds this text")
    chosen = parser.parse_args()
    table = Table("clip", "times", "packets", "tags", "around the face")
    num_clips = num_equal = 0
    with tempfile.TemporaryDirectory() as name:
        for kind in (kind for kind in kinds() if chosen.only in kind.name):
            source = make(kind, Path(name) / f"in{num_clips}{kind.suffix}")
            output = Path(name) / f"out{num_clips}{kind.suffix}"
            is_untouched = swap(kind, source, output)
            found = (
                times(source) == times(output),
                packets(source) == packets(output),
                tags(source) == tags(output),
                is_untouched,
            )
            table.add_row(kind.name, *("equal" if equal else "DIFFERENT" for equal in found))
            num_clips, num_equal = num_clips + 1, num_equal + all(found)
    Console(width=100).print(table)
    print(f"{num_equal} of {num_clips} clips: everything equal")
    return int(num_equal < num_clips)


if __name__ == "__main__":
    sys.exit(main())
