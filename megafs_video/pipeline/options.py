"""What a user can choose about a swap, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from megafs_video.pipeline.profile import PROFILES
from megafs_video.pipeline.select import FaceChoice
from megafs_video.pipeline.track import MAX_GAP_SECONDS
from megafs_video.video.codec import Quality
from megafs_video.video.probe import check_time_range

DETECTORS = ("scrfd", "yunet")
SMOOTHING = tuple(PROFILES)


@dataclass(frozen=True)
class SwapOptions:
    """How to swap; every default is a good start.

    ValueError names a field that is out of range; TimeRangeError says that a range is empty.
    """

    detector: str = "scrfd"  # "scrfd" (InsightFace) or "yunet" (permissively licensed)
    face: str = "largest"  # of the target: "largest", "all", or a number counted from the left
    reference: Path | None = None  # a picture: swap only the person in it, whatever ``face`` says
    source_face: int | None = None  # which face of the source, 0 the leftmost; None: the only one
    smooth: str = "light"  # of ``PROFILES``: how calm codes, crops and colours are over time
    start_seconds: float | None = None  # swap from here; None: the start of the clip
    end_seconds: float | None = None  # and up to here, exclusive; None: its end
    codec: str = "auto"  # of the output, by a name of ``video/codec.py``; or by its suffix
    quality: Quality | None = None  # 0 the best, or "lossless"; None: no loss that an eye can see
    preset: str | None = None  # the encoder's speed; None: its default
    batch_size: int | None = None  # faces a network takes at once; None: 1 on a CPU, else 8
    overwrite: bool = False  # replace an output that exists
    offline: bool = False  # never fetch a model file
    max_gap_seconds: float = MAX_GAP_SECONDS  # a face that is lost no longer is bridged; 0 to 1
    resume: bool | None = None  # whether a run that is killed can go on; None: if over a minute

    def __post_init__(self) -> None:
        _check_choice("detector", self.detector, DETECTORS)
        _check_choice("smooth", self.smooth, SMOOTHING)
        FaceChoice.parse(self.face)
        if self.source_face is not None and self.source_face < 0:
            raise ValueError(f"SwapOptions.source_face is {self.source_face}, wanted 0 or more")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"SwapOptions.batch_size is {self.batch_size}, wanted at least 1")
        # Frames wait in memory for a face to come back.
        if not 0 <= self.max_gap_seconds <= 1:
            raise ValueError(
                f"SwapOptions.max_gap_seconds is {self.max_gap_seconds}, wanted 0 to 1"
            )
        check_time_range(self.start_seconds, self.end_seconds)

    def faces_per_batch(self, device_type: str) -> int:
        """Faces that go through a network together on such a device.

        >>> SwapOptions().faces_per_batch("cpu"), SwapOptions(batch_size=3).faces_per_batch("cpu")
        (1, 3)
        """
        if self.batch_size is not None:
            return self.batch_size
        # Two at once are 4 % faster on a CPU, take 0.6 GB more, and may round differently from
        # the one of a preview.
        return 1 if device_type == "cpu" else 8


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        wanted = ", ".join(map(repr, choices))
        raise ValueError(f"SwapOptions.{name} is {value!r}, wanted one of {wanted}")
