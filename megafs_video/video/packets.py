"""Sound as it lies in a file, packet by packet, to prove that a copy is one."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

from megafs_video.video.media import open_container


@dataclass(frozen=True)
class SoundPacket:
    """One packet of compressed sound; two that are equal sound the same at the same time."""

    start_seconds: Fraction | None  # None where the container does not say
    payload_sha256: str


def sound_packets(path: Path, track: int = 0) -> Generator[SoundPacket, None, None]:
    """Every packet of one sound stream in the order of the file; none if there is no such track.

    ``track`` 0 is the first sound stream. InputNotFoundError, VideoError: as in ``probe``.
    """
    container = open_container(path)
    try:
        streams = container.streams.audio
        if track >= len(streams):
            return
        for packet in container.demux(streams[track]):
            if packet.size:
                start = None if packet.pts is None else packet.pts * packet.time_base
                yield SoundPacket(start, sha256(bytes(packet)).hexdigest())
    finally:
        container.close()
