"""What a run tells: progress on the way, and a report at the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass

NETWORK_STAGES = ("encode", "transfer", "generate")
"""Stages that do little else than run a network; all of them run in one thread."""


@dataclass(frozen=True)
class Progress:
    """How far a swap is."""

    frames: int  # written so far
    total_frames: int | None  # an estimate; None when the clip does not say


@dataclass(frozen=True)
class SwapReport:
    """What a swap did, for people and programs."""

    frames: int  # written
    frames_without_face: int  # among them, written as they were
    tracks: int  # faces that were followed and swapped; a cut begins new ones
    seconds: float  # wall time from the first frame to the finished file
    preparation_seconds: float  # wall time before that: loading models, reading the source
    seconds_per_stage: Mapping[str, float]  # stages overlap: they add up to more than ``seconds``
    peak_memory_bytes: int | None  # of this process, since it began; None where not measured
    model: str
    device: str
    hashes: Mapping[str, str]  # sha256 of each weight file
    settings: Mapping[str, object]
    notes: tuple[str, ...] = ()  # what a user should know, such as damage that was skipped
    earlier_frames: int = 0  # among ``frames``, finished by a run that was stopped

    @property
    def frames_per_second(self) -> float:
        """Frames swapped in this run per second of wall time."""
        return (self.frames - self.earlier_frames) / self.seconds if self.seconds > 0 else 0.0

    @property
    def network_share(self) -> float:
        """Part of the wall time that was spent inside the networks, 0 to 1."""
        inside = sum(self.seconds_per_stage.get(name, 0.0) for name in NETWORK_STAGES)
        return inside / self.seconds if self.seconds > 0 else 0.0

    def to_json(self) -> str:
        """All of it as one JSON object over several lines."""
        found = asdict(self) | {
            "frames_per_second": round(self.frames_per_second, 3),
            "network_share": round(self.network_share, 4),
        }
        return json.dumps(found, indent=2, default=str)


def peak_memory_bytes() -> int | None:
    """Most memory that this process has held so far; None on a system that does not say."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
