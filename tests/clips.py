"""Small clips of every kind, made on the spot: each frame shows its own number.

The number is written as black and white blocks along the top, so that it survives any codec;
``number_of`` reads it back. Nothing here uses the package, so it cannot share its mistakes.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import PictureType

Picture = npt.NDArray[np.uint8]

HEIGHT, WIDTH = 96, 128
NUM_BITS = 8
BLOCK = 16  # pixels
SOUND_RATE = 48_000
SOUND_FRAME = 1024  # samples in one packet of AAC

# Gaps between frames of a variable-rate clip, ticks of 1/1000 s: no two neighbours alike.
GAPS = (33, 67, 20, 140, 41, 16, 90, 33, 34, 250)


def numbered_picture(number: int, height: int = HEIGHT, width: int = WIDTH) -> Picture:
    """A smooth picture [height, width, 3] with a number from 0 to 255 along the top."""
    rows, columns = np.mgrid[0:height, 0:width]
    red = 60 + 120 * columns / width
    green = 60 + 120 * rows / height
    blue = 120 + 60 * np.sin(number / 5) * np.ones_like(red)
    picture = np.stack([red, green, blue], axis=-1).round().astype(np.uint8)
    for bit in range(NUM_BITS):
        level = 235 if number >> bit & 1 else 20
        picture[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = level
    return picture


def number_of(picture: Picture) -> int:
    """The number that ``numbered_picture`` wrote."""
    centres = picture[BLOCK // 2, BLOCK // 2 : NUM_BITS * BLOCK : BLOCK].mean(axis=-1)  # [8]
    return sum(1 << bit for bit, level in enumerate(centres) if level > 128)


def variable_pts(num_frames: int) -> list[int]:
    """Rising timestamps with uneven gaps, ticks of 1/1000 s."""
    gaps = [GAPS[index % len(GAPS)] for index in range(num_frames - 1)]
    return [0, *np.cumsum(gaps, dtype=int).tolist()] if gaps else [0]


def make_clip(
    path: Path,
    num_frames: int = 30,
    *,
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    pictures: Sequence[Picture] | None = None,
    encoder: str = "libx264",
    options: dict[str, str] | None = None,
    pixel_format: str = "yuv420p",
    has_sound: bool = False,
    rotation_degrees: int | None = None,
    is_flipped: bool = False,
    metadata: dict[str, str] | None = None,
    chapters: Sequence[dict[str, Any]] = (),
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a clip; the suffix chooses the container. A key frame every ten frames, B-frames.

    ``rotation_degrees`` is counterclockwise, as FFmpeg counts it.
    """
    shown = list(pictures) if pictures is not None else None
    if shown is None:
        shown = [numbered_picture(number) for number in range(num_frames)]
    times = list(pts) if pts is not None else list(range(len(shown)))
    height, width = shown[0].shape[:2]
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        chosen = {"g": "10", "bf": "2"} if options is None and encoder == "libx264" else options
        stream: Any = container.add_stream(encoder, rate=25, options=chosen or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.time_base = stream.codec_context.time_base = time_base
        if rotation_degrees is not None:
            stream.set_display_rotation(rotation_degrees, hflip=is_flipped)
        sound = add_sound(container) if has_sound else None
        container.metadata.update(metadata or {})
        if chapters:
            container.set_chapters(list(chapters))  # type: ignore[arg-type]
        for picture, tick in zip(shown, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = tick, time_base
            frame.pict_type = PictureType.NONE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            write_sound(container, sound, float((times[-1] + 1) * time_base))
    return path


def add_sound(container: Any) -> Any:
    """A stereo AAC stream."""
    return container.add_stream("aac", rate=SOUND_RATE, layout="stereo")


def write_sound(container: Any, stream: Any, num_seconds: float) -> None:
    """A rising tone, so that no two packets are alike."""
    for start in range(0, int(num_seconds * SOUND_RATE), SOUND_FRAME):
        seconds = (start + np.arange(SOUND_FRAME)) / SOUND_RATE
        tone = 0.3 * np.sin(2 * np.pi * (300 + 200 * seconds) * seconds)
        samples = np.stack([tone, -tone]).astype(np.float32)  # [2, SOUND_FRAME]
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.pts, frame.rate = start, SOUND_RATE
        frame.time_base = Fraction(1, SOUND_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def make_sound_only(path: Path, num_seconds: float = 1.0) -> Path:
    """A file with a tone and no picture."""
    with av.open(str(path), "w") as container:
        write_sound(container, add_sound(container), num_seconds)
    return path


def make_faceless(path: Path, num_frames: int = 10) -> Path:
    """A clip of grey noise: nothing in it looks like a face."""
    noise = np.random.default_rng(7).integers(96, 160, (HEIGHT, WIDTH, 1), np.uint8)
    picture = np.repeat(noise, 3, axis=2)
    return make_clip(path, pictures=[picture] * num_frames)


def make_subtitled(path: Path, num_frames: int = 30) -> Path:
    """An .mkv with sound and two SubRip lines, at 0.2 to 0.6 s and 0.8 to 1.1 s."""
    plain = make_clip(path.with_name(f"{path.stem}_plain.mp4"), num_frames, has_sound=True)
    lines = path.with_suffix(".srt")
    lines.write_text(
        "1\n00:00:00,200 --> 00:00:00,600\nFirst <i>line</i>\n\n"
        "2\n00:00:00,800 --> 00:00:01,100\nSecond line\n"
    )
    with av.open(str(plain)) as pictures, av.open(str(lines)) as texts:
        sources: list[Any] = [*pictures.streams, *texts.streams]
        with av.open(str(path), "w") as container:
            copies = {id(s): container.add_stream_from_template(s, opaque=True) for s in sources}
            # Sound before zero would make the muxer move everything.
            packets: list[Any] = [*texts.demux(), *pictures.demux()]
            kept = (packet for packet in packets if packet.size and packet.pts >= 0)
            for packet in sorted(kept, key=lambda packet: packet.dts * packet.time_base):
                packet.stream = copies[id(packet.stream)]
                container.mux(packet)
    return path


def cut_off(path: Path, output: Path, *, share: float = 0.5) -> Path:
    """A copy that ends early, as after a broken download."""
    whole = path.read_bytes()
    output.write_bytes(whole[: int(len(whole) * share)])
    return output


def damaged(path: Path, output: Path, packet_indices: Sequence[int]) -> Path:
    """A copy in which some of the picture's packets are overwritten by noise."""
    raw = bytearray(path.read_bytes())
    noise = np.random.default_rng(1)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    for index in packet_indices:
        packet = packets[index]
        assert packet.pos is not None
        raw[packet.pos : packet.pos + packet.size] = noise.bytes(packet.size)
    output.write_bytes(raw)
    return output


def pts_of(path: Path) -> list[Fraction]:
    """When each frame is shown, seconds, as plain PyAV decodes them."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return [frame.pts * stream.time_base for frame in container.decode(stream)]  # type: ignore[operator]


def packets_of(path: Path, kind: str = "audio") -> list[tuple[Fraction, bytes]]:
    """Time (seconds) and payload of every packet of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(stream) if p.size]  # type: ignore[operator]
