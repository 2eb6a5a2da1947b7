"""Damaged and malicious files, by a seed: every number gives the same file everywhere.

A file is one of a few small whole clips and pictures, harmed in one of the ways below; the first
numbers are files made by hand: bombs, lists that name other files, wrong names, nothing at all;
then come cuts at every box of a container.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from PIL import Image

from tests.clips import make_clip, numbered_picture

VIDEO_SEEDS = {  # suffix: encoder, pixel format
    ".mp4": ("libx264", "yuv420p"),
    ".mkv": ("libx264", "yuv420p10le"),
    ".webm": ("libvpx-vp9", "yuv420p"),
    ".ts": ("mpeg2video", "yuv420p"),
    ".avi": ("mpeg4", "yuv420p"),
    ".mov": ("prores_ks", "yuv422p10le"),
    ".nut": ("ffv1", "yuv420p"),
    ".gif": ("gif", "rgb8"),
}
PICTURE_SEEDS = (".png", ".jpg", ".webp", ".bmp", ".tiff")
WITH_SOUND = (".mp4", ".mkv", ".mov")


def make_seeds(folder: Path) -> list[Path]:
    """The whole files that the harmed ones are made of, small ones."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = []
    for suffix, (encoder, pixel_format) in VIDEO_SEEDS.items():
        pictures = [numbered_picture(number, 48, 128) for number in range(6)]
        seeds.append(
            make_clip(
                folder / f"seed{suffix}",
                pictures=pictures,
                encoder=encoder,
                options={},
                pixel_format=pixel_format,
                has_sound=suffix in WITH_SOUND,
            )
        )
    for suffix in PICTURE_SEEDS:
        path = folder / f"picture{suffix}"
        Image.fromarray(numbered_picture(9, 48, 128)).save(path)
        seeds.append(path)
    return seeds


def make_hostile(number: int, seeds: list[Path], folder: Path) -> Path:
    """File number ``number`` of an endless row: made by hand, cut at a box, harmed by chance."""
    by_hand = list(_BY_HAND.items())
    if number < len(by_hand):
        name, make = by_hand[number]
        path = folder / name
        path.write_bytes(make(seeds))
        return path
    number -= len(by_hand)
    boxes = [(seed, end) for seed in seeds for end in box_ends(seed)]
    if number < len(boxes):
        seed, end = boxes[number]
        path = folder / f"{seed.stem}-cut-{end}{seed.suffix}"
        path.write_bytes(seed.read_bytes()[:end])
        return path
    number -= len(boxes)
    chance = np.random.default_rng(number)
    seed = seeds[number % len(seeds)]
    ways = list(_WAYS.items())
    name, harm = ways[number // len(seeds) % len(ways)]
    harmed = harm(bytearray(seed.read_bytes()), chance)
    suffix = seeds[int(chance.integers(len(seeds)))].suffix if name == "renamed" else seed.suffix
    path = folder / f"{number:05d}-{name}{suffix}"
    path.write_bytes(harmed)
    return path


def num_made_by_rule(seeds: list[Path]) -> int:
    """How many files of the row come before those of chance."""
    return len(_BY_HAND) + sum(len(box_ends(seed)) for seed in seeds)


def box_ends(seed: Path) -> list[int]:
    """Where a file is cut: behind the header and behind the end of every box, chunk or element."""
    raw = seed.read_bytes()
    ends: set[int] = set()
    if seed.suffix in (".mp4", ".mov"):
        _walk_boxes(raw, 0, len(raw), ends)
    elif seed.suffix in (".mkv", ".webm"):
        _walk_elements(raw, 0, len(raw), ends)
    return sorted(ends - {0, len(raw)})


_PARENT_BOXES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf", b"edts", b"udta")


def _walk_boxes(raw: bytes, start: int, end: int, ends: set[int]) -> None:
    """ISO base media: size of 4 bytes, kind of 4 bytes, content."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", raw, start)
        ends |= {start + 8, min(start + size, end)}
        if kind in _PARENT_BOXES:
            _walk_boxes(raw, start + 8, start + size, ends)
        start += max(size, 8)


_PARENT_ELEMENTS = (0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE, 0xE0, 0xE1, 0x1549A966, 0x114D9B74)


def _walk_elements(raw: bytes, start: int, end: int, ends: set[int]) -> None:
    """Matroska: an id and a size, each as long as its first byte says, content."""
    while start + 2 <= end:
        id_end = start + 9 - raw[start].bit_length()
        size_end = id_end + 9 - raw[id_end].bit_length()
        mask = (1 << 7 * (size_end - id_end)) - 1
        size = int.from_bytes(raw[id_end:size_end], "big") & mask
        after = end if size == mask else min(size_end + size, end)
        ends |= {size_end, after}
        if int.from_bytes(raw[start:id_end], "big") in _PARENT_ELEMENTS:
            _walk_elements(raw, size_end, after, ends)
        start = after


def _cut(raw: bytearray, chance: np.random.Generator) -> bytes:
    return bytes(raw[: chance.integers(len(raw))])


def _flip_bits(raw: bytearray, chance: np.random.Generator) -> bytes:
    for _ in range(int(chance.integers(1, 30))):
        raw[chance.integers(len(raw))] ^= 1 << int(chance.integers(8))
    return bytes(raw)


def _flip_header(raw: bytearray, chance: np.random.Generator) -> bytes:
    for _ in range(int(chance.integers(1, 8))):
        raw[chance.integers(min(len(raw), 600))] = int(chance.integers(256))
    return bytes(raw)


def _flip_tail(raw: bytearray, chance: np.random.Generator) -> bytes:
    """Where an MP4 keeps its index."""
    for _ in range(int(chance.integers(1, 12))):
        raw[-1 - int(chance.integers(min(len(raw), 1500)))] = int(chance.integers(256))
    return bytes(raw)


def _enlarge_numbers(raw: bytearray, chance: np.random.Generator) -> bytes:
    """Counts, sizes and times become absurd."""
    for _ in range(int(chance.integers(1, 6))):
        start = int(chance.integers(max(1, len(raw) - 4)))
        raw[start : start + 4] = bytes.fromhex(
            str(chance.choice(["7fffffff", "ffffffff", "0000ffff", "80000000"]))
        )
    return bytes(raw)


def _remove(raw: bytearray, chance: np.random.Generator) -> bytes:
    start = int(chance.integers(len(raw)))
    return bytes(raw[:start] + raw[start + int(chance.integers(1, 2000)) :])


def _repeat(raw: bytearray, chance: np.random.Generator) -> bytes:
    start, length = int(chance.integers(len(raw))), int(chance.integers(1, 4000))
    return bytes(raw[: start + length] + raw[start : start + length] * 3 + raw[start:])


def _fill(raw: bytearray, chance: np.random.Generator) -> bytes:
    start, length = int(chance.integers(len(raw))), int(chance.integers(1, 2000))
    return bytes(raw[:start] + chance.bytes(length) + raw[start + length :])


def _keep(raw: bytearray, chance: np.random.Generator) -> bytes:
    return bytes(raw)


_WAYS: dict[str, Callable[[bytearray, np.random.Generator], bytes]] = {
    "cut": _cut,
    "bits": _flip_bits,
    "header": _flip_header,
    "tail": _flip_tail,
    "absurd": _enlarge_numbers,
    "hole": _remove,
    "again": _repeat,
    "noise": _fill,
    "renamed": _keep,
}


def _png(width: int, height: int, num_rows: int) -> bytes:
    """A PNG that claims a size and holds so many rows of nothing, well packed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(1 + 3 * width)) for _ in range(num_rows)) + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def _gif(width: int, height: int) -> bytes:
    """A GIF that claims a size and holds one sample."""
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    image = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00;"
    return b"GIF89a" + screen + image


def _sized_avi(seeds: list[Path]) -> bytes:
    """A clip whose headers claim 65,000 pixels a side."""
    raw = next(seed for seed in seeds if seed.suffix == ".avi").read_bytes()
    return raw.replace(struct.pack("<II", 128, 48), struct.pack("<II", 65_000, 65_000))


def _external_mov(seeds: list[Path]) -> bytes:
    """A clip that says its pictures lie in another file."""
    raw = next(seed for seed in seeds if seed.suffix == ".mov").read_bytes()
    return raw.replace(b"url \x00\x00\x00\x01", b"url \x00\x00\x00\x00")


def climbing_mkv(seeds: list[Path]) -> bytes:
    """A clip whose attachment and metadata climb out of their folder, and talk to a terminal."""
    seed = next(seed for seed in seeds if seed.suffix == ".mkv")
    path = seed.with_name("climbing.mkv")
    with av.open(str(seed)) as source, av.open(str(path), "w", format="matroska") as container:
        picture = source.streams.video[0]
        copy = container.add_stream_from_template(picture, opaque=True)
        container.add_attachment("../../../../tmp/megafs-evil.sh", "text/x-sh", b"#!/bin/sh")
        container.metadata["title"] = "../../etc/passwd"
        container.metadata["../\x1b]0;owned\x07"] = "\x1b[2J"
        for packet in source.demux(picture):
            if packet.size:
                packet.stream = copy
                container.mux(packet)
    raw = path.read_bytes()
    path.unlink()
    return raw


def _camera_jpg(seeds: list[Path]) -> bytes:
    """A photograph whose camera data promise more than there is."""
    photo = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "x" * 300
    exif.get_ifd(0x8769)[0x829A] = 0.02
    Image.fromarray(numbered_picture(9, 48, 128)).save(photo, "JPEG", exif=exif)
    return photo.getvalue().replace(struct.pack(">I", 301), struct.pack(">I", 2**31 - 1))


_BY_HAND: dict[str, Callable[[list[Path]], bytes]] = {
    "empty.mp4": lambda seeds: b"",
    "empty.png": lambda seeds: b"",
    "one-byte.mkv": lambda seeds: b"\x1a",
    "zeros.mp4": lambda seeds: bytes(100_000),
    "text.mp4": lambda seeds: b"This is a letter.\n" * 100,
    "bomb.png": lambda seeds: _png(4_000, 4_000, 4_000),
    "claims.png": lambda seeds: _png(2**31 - 1, 2**31 - 1, 0),
    "tall.png": lambda seeds: _png(1, 2**31 - 1, 10),
    "claims.gif": lambda seeds: _gif(65_535, 65_535),
    "claims.avi": _sized_avi,
    "hls.mp4": lambda seeds: (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{seeds[0].absolute()}\n"
        "#EXTINF:1,\nhttp://127.0.0.1:9/secret\n#EXT-X-ENDLIST\n"
    ).encode(),
    "list.mkv": lambda seeds: f"ffconcat version 1.0\nfile {seeds[0].name}\n".encode(),
    "session.mov": lambda seeds: (
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        b"m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    ),
    "external.mov": _external_mov,
    "climbing.mkv": climbing_mkv,
    "camera.jpg": _camera_jpg,
    "playlist.avi": lambda seeds: b"[playlist]\nFile1=/etc/passwd\nNumberOfEntries=1\n",
}

NUM_BY_HAND = len(_BY_HAND)
