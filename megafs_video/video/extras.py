"""What pictures carry beside their samples, from frame to frame: captions, dynamic HDR, time codes.

Encoders write some of it again, and which depends on the encoder. So nothing is promised: what a
clip carried is looked for in the file that was written, and what is not there is said.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, cast

import av

from megafs_video.values import Frame
from megafs_video.video.clip import Clip
from megafs_video.video.compressor import Opening
from megafs_video.video.orientation import side_data_of
from megafs_video.video.planes import DecodedPicture

# FFmpeg's kinds of side data; what is not here is drawn already, is the encoder's own or is
# carried in another way (rotation, the screen of HDR10).
_NAMES = {
    "A53_CC": "closed captions",
    "DYNAMIC_HDR_PLUS": "the dynamic metadata of HDR10+",
    "DYNAMIC_HDR_VIVID": "the dynamic metadata of HDR Vivid",
    "DOVI_METADATA": "the metadata of Dolby Vision",
    "DOVI_RPU_BUFFER": "the metadata of Dolby Vision",
    "GOP_TIMECODE": "time codes inside the pictures",
    "S12M_TIMECODE": "time codes inside the pictures",
    "AFD": "the active part of the picture (AFD)",
    "AMBIENT_VIEWING_ENVIRONMENT": "the ambient viewing environment",
    "PANSCAN": "pan and scan",
    "SPHERICAL": "the projection of a spherical picture",
    "STEREO3D": "the layout of a stereoscopic picture",
}

# To look at a frame's side data ties it into a reference cycle, and it stays until the garbage
# collector comes: not every frame, and the collector is called before the next one.
_LOOK_EVERY_SECONDS = 1.0


class Extras:
    """Watches frames go by, and says in the end what of their extras a file lacks."""

    def __init__(self) -> None:
        self._seconds_of: dict[str, float] = {}  # of the first frame that was seen with it
        self._next_look = float("-inf")

    def watch(self, frame: Frame) -> None:
        """Look at a frame that is about to be written, once a second."""
        if frame.seconds < self._next_look or not isinstance(frame.decoded, DecodedPicture):
            return
        self._next_look = frame.seconds + _LOOK_EVERY_SECONDS
        gc.collect()
        for name in extras_of(frame.decoded.native):
            self._seconds_of.setdefault(name, frame.seconds)

    def losses(self, written: Path | BinaryIO, opening: Opening) -> list[str]:
        """One sentence on each that is not in ``written``, or, of a stream, might not be."""
        if not isinstance(written, Path):
            return [
                f"the pictures carry {name}, which not every encoder writes: look at what arrives"
                for name in self._seconds_of
            ]
        moved_seconds = float(opening.shift_pts * opening.time_base)
        return [
            f"the pictures carry {name}, which this encoder does not write: left out"
            for name, seconds in self._seconds_of.items()
            if name not in _extras_at(written, seconds - moved_seconds)
        ]


def extras_of(native: av.VideoFrame) -> set[str]:
    """What a decoded frame carries, as people call it."""
    # The container of side data calls itself a mapping, and is walked through like a list.
    kinds = map(_kind, cast(Iterable[Any], side_data_of(native)))
    return {_NAMES[kind] for kind in kinds if kind in _NAMES}


def _kind(side_data: Any) -> str | None:
    """FFmpeg's name; None where PyAV knows none."""
    try:
        return cast(str, side_data.type.name)
    except ValueError:
        return None


def _extras_at(path: Path, seconds: float) -> set[str]:
    with Clip(path) as clip:
        from_pts = clip.first_tick_at(seconds)
        for timed in clip.frames(from_pts):
            if timed.pts >= from_pts:
                return extras_of(timed.native)
    return set()
