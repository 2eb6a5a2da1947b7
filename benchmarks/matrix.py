"""Does a clip of every kind come out as it went in, but for the face?

Run: python -m benchmarks.matrix [--only TEXT]

Makes 84 small clips: encoder, depth and subsampling by container, constant or variable rate,
upright or turned, the picture alone or with two sound tracks, chapters and metadata (and in .mkv
subtitles and an attachment); HDR10 and HLG, oblong pixels, numbered pictures, lossless encoding.
In the place of the networks a rectangle is painted. Plain PyAV then reads what went in and what
came out, and a table says whether times, copied packets and tags are equal, whether outside the
rectangle every sample that went to the encoder is the one that was decoded, and, of lossless
files, whether every sample that went to the encoder is the one that comes out of the file.
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
from PIL import Image
from rich.console import Console
from rich.table import Table

from megafs_video.video.codec import Quality
from megafs_video.video.planes import DecodedPicture, planar_format
from megafs_video.video.read import read_frames
from megafs_video.video.sequence import Footage, PictureSequence, footage_at
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
# The same with something special: kind, container, encoder, pixel format, --codec.
SPECIAL = (
    ("hdr10", ".mp4", "libx265", "yuv420p10le", "hevc"),
    ("hdr10", ".mkv", "libx265", "yuv420p10le", "av1"),
    ("hlg", ".mp4", "libx265", "yuv420p10le", "hevc"),
    ("hlg", ".mov", "prores_ks", "yuv422p10le", "prores"),
    ("hlg", ".webm", "libsvtav1", "yuv420p10le", "av1"),
    ("oblong", ".mp4", "libx264", "yuv420p", "h264"),
    ("oblong", ".mkv", "libx265", "yuv420p10le", "hevc"),
    ("lossless", ".mp4", "libx264", "yuv420p", "h264"),
    ("lossless", ".mov", "libx264", "yuv422p10le", "h264"),
    ("lossless", ".mp4", "libx265", "yuv444p10le", "hevc"),
    ("lossless", ".webm", "libsvtav1", "yuv420p10le", "av1"),
    ("lossless", ".webm", "libvpx-vp9", "yuv444p", "vp9"),
    ("lossless", ".mkv", "ffv1", "yuva420p", "ffv1"),
)
TRANSFERS = {"hdr10": 16, "hlg": 18}
SCREEN = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
# FFmpeg's SubRip encoder wants one, though nothing is encoded.
ASS_HEADER = b"[Script Info]\n[V4+ Styles]\nFormat: Name\nStyle: Default\n[Events]\nFormat: Text\n"
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
    is_rich: bool  # sound, chapters, metadata; subtitles and an attachment where they fit
    special: str = ""

    @property
    def name(self) -> str:
        rate = "variable" if self.is_variable else "constant"
        turn = "turned" if self.is_turned else "upright"
        streams = "rich" if self.is_rich else "plain"
        parts = (self.suffix, self.codec, self.pixel_format, rate, turn, streams, self.special)
        return " ".join(filter(None, parts))


def kinds() -> Iterator[Kind]:
    """All combinations, then what is special and what is a sequence; two of three are rich."""
    number = 0
    for suffix, encodings in KINDS.items():
        for encoding in encodings:
            for is_variable in (False, True):
                for is_turned in (False, True):
                    # Three turns of four: rich and plain meet every rate and every turn.
                    yield Kind(suffix, *encoding, is_variable, is_turned, number % 3 != 0)
                    number += 1
    for special, suffix, encoder, pixel_format, codec in SPECIAL:
        is_turned = number % 2 == 1
        yield Kind(suffix, encoder, pixel_format, codec, True, is_turned, number % 3 != 0, special)
        number += 1
    for suffix, codec in ((".mp4", "h264"), (".mkv", "ffv1"), (".webm", "vp9")):
        yield Kind(suffix, "mjpeg", "yuvj420p", codec, False, False, False, "sequence")


def make_sequence(folder: Path) -> PictureSequence:
    """Numbered JPEG files."""
    folder.mkdir()
    for number in range(NUM_FRAMES):
        picture = Image.fromarray(numbered_picture(number))
        picture.save(folder / f"{number:03d}.jpg", subsampling="4:2:0")
    footage = footage_at(folder, Fraction(25))
    assert isinstance(footage, PictureSequence)
    return footage


def opened(footage: Footage) -> Any:
    """Footage in the hands of plain PyAV."""
    if isinstance(footage, Path):
        return av.open(str(footage))
    options = {"framerate": str(footage.rate)}
    return av.open(str(footage), format="image2", options=options)


def make(kind: Kind, path: Path) -> Path:
    """The clip that goes in."""
    pts = variable_pts(NUM_FRAMES) if kind.is_variable else range(0, 40 * NUM_FRAMES, 40)
    with av.open(str(path), "w") as container:
        preset = {"preset": FASTEST[kind.encoder]} if kind.encoder in FASTEST else {}
        screen = f":master-display={SCREEN}:max-cll=1000,400" if kind.special == "hdr10" else ""
        quiet = {"x265-params": f"log-level=error{screen}"} if kind.encoder == "libx265" else {}
        stream: Any = container.add_stream(kind.encoder, rate=25, options=preset | quiet)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, kind.pixel_format
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        gamut = 9 if kind.special in TRANSFERS else 1
        stream.colorspace, stream.color_range = gamut, 1
        stream.color_primaries, stream.color_trc = gamut, TRANSFERS.get(kind.special, 1)
        if kind.special == "oblong":
            stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
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
        for number, subtitles in enumerate(s for s in container.streams if s.type == "subtitle"):
            line: Any = av.Packet(f"Line {number}".encode())
            line.pts = line.dts = 100 + 10 * number
            line.duration, line.time_base, line.stream = 200, TIME_BASE, subtitles
            container.mux(line)
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
    if kind.suffix == ".mkv":
        for language in ("eng", "deu"):
            subtitles = container.add_stream("subrip")
            subtitles.codec_context.subtitle_header = ASS_HEADER
            subtitles.metadata["language"] = language
            subtitles.time_base = subtitles.codec_context.time_base = TIME_BASE
        container.add_attachment("letters.ttf", "font/ttf", b"letters" * 20)
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


def swap(kind: Kind, source: Footage, output: Path) -> tuple[bool, bool | None]:
    """Write the clip with a rectangle in it.

    Whether the samples around it are the decoded ones, and, of a lossless output, whether its
    samples are those that went to the encoder.
    """
    preset = FASTEST.get(kind.encoder) if kind.codec in kind.encoder.replace("5", "5hevc") else None
    quality: Quality | None = "lossless" if kind.special == "lossless" else None
    is_untouched = True
    encoded = []
    with (
        opened(source) as container,
        VideoWriter(
            output, like=source, codec=kind.codec, quality=quality, preset=preset
        ) as writer,
    ):
        for frame, native in zip(read_frames(source), container.decode(video=0), strict=True):
            pixels = frame.pixels.copy()
            pixels[RECTANGLE] = (200, 90, 40)
            assert isinstance(frame.decoded, DecodedPicture)
            shown = frame.decoded.showing(pixels)
            is_untouched &= around_is_equal(native, shown, is_turned=kind.is_turned)
            writer.write(replace(frame, pixels=pixels))
            encoded.append([plane.copy() for plane in planes(shown)])
    if kind.special != "lossless":
        return is_untouched, None
    with opened(output) as container:
        written = [planes(native) for native in container.decode(video=0)]
    return is_untouched, all(
        np.array_equal(before, after)
        for befores, afters in zip(encoded, written, strict=True)
        for before, after in zip(befores, afters, strict=True)
    )


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


def times(path: Footage) -> list[Fraction]:
    """When each frame is shown, seconds."""
    with opened(path) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]  # type: ignore[operator]


def packets(path: Footage) -> list[list[tuple[Fraction, bytes]]]:
    """Time and payload of every copied packet, by stream."""
    found: dict[int, list[tuple[Fraction, bytes]]] = {}
    with opened(path) as container:
        copied = [s for s in container.streams if s.type in ("audio", "subtitle")]
        # Asked for no stream at all, demux gives every one.
        for packet in container.demux(copied) if copied else ():
            if packet.size:
                entry = (packet.pts * packet.time_base, bytes(packet))  # type: ignore[operator]
                found.setdefault(packet.stream.index, []).append(entry)
    return list(found.values())


def tags(path: Footage) -> list[object]:
    """What the file says about itself."""
    with opened(path) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        screen = {
            kind: [round(number, 3) for number in screen_of(bytes(frame.side_data[kind]))]
            for kind in ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")
            if kind in frame.side_data
        }
        attachments = [s for s in container.streams if s.type == "attachment"]
        colours = (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)
        return [
            *(colours, frame.rotation, planar_format(frame.format.name), screen),
            stream.sample_aspect_ratio or Fraction(1),
            # A picture that is the only stream is the default one, whatever a file says.
            int(stream.disposition) if len(container.streams) > 1 else None,
            [
                (s.type, s.metadata.get("language"), s.disposition)
                for s in container.streams
                if s.type in ("audio", "subtitle")
            ],
            [(s.name, s.mimetype, s.data) for s in attachments],
            {key.lower(): container.metadata.get(key) for key in ("title", "COMMENT", "comment")},
            [chapter["metadata"] for chapter in container.chapters()],
        ]


def screen_of(raw: bytes) -> list[float]:
    """The fractions of a mastering display, or the two numbers of a light level."""
    numbers = np.frombuffer(raw, "<i4")
    if len(numbers) < 22:
        return [float(number) for number in numbers[:2]]
    return [float(number) for number in numbers[:20:2] / numbers[1:20:2]]


def main() -> int:
    """Print the table; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="clips whose row holds this text")
    chosen = parser.parse_args()
    table = Table("clip", "times", "packets", "tags", "around the face", "after decoding")
    num_clips = num_equal = 0
    with tempfile.TemporaryDirectory() as name:
        for kind in (kind for kind in kinds() if chosen.only in kind.name):
            place = Path(name) / f"in{num_clips}{kind.suffix}"
            is_sequence = kind.special == "sequence"
            source = make_sequence(place.with_suffix("")) if is_sequence else make(kind, place)
            output = Path(name) / f"out{num_clips}{kind.suffix}"
            is_untouched, is_lossless = swap(kind, source, output)
            found = (
                times(source) == times(output),
                packets(source) == packets(output),
                tags(source) == tags(output),
                is_untouched,
                is_lossless,
            )
            words = {True: "equal", False: "DIFFERENT", None: ""}
            table.add_row(kind.name, *(words[equal] for equal in found))
            num_clips, num_equal = num_clips + 1, num_equal + (False not in found)
    Console(width=110).print(table)
    print(f"{num_equal} of {num_clips} clips: everything equal")
    return int(num_equal < num_clips)


if __name__ == "__main__":
    sys.exit(main())
