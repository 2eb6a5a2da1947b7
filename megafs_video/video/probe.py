"""What a clip is, before anything is done with it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from megafs_video.errors import TimeRangeError
from megafs_video.video.clip import Clip
from megafs_video.video.colour import UNSPECIFIED, tags_of
from megafs_video.video.grading import UNGRADED, Grading, grading_of
from megafs_video.video.orientation import (
    IDENTITY,
    clockwise_degrees,
    is_mirrored,
    is_transposed,
)
from megafs_video.video.sequence import Footage


@dataclass(frozen=True)
class VideoInfo:
    """A clip's facts, from its container and its first frame.

    Sizes are upright (as players show it). Counts and durations are the container's claims,
    good for a progress bar; no frame's time is computed from them. Colour numbers are code
    points of ITU-T H.273 (``colour.py`` explains them).
    """

    path: Footage
    width: int
    height: int
    rotation_degrees: int  # 0, 90, 180, 270: what players turn the stored picture by, clockwise
    duration_seconds: float | None
    num_frames: int | None  # an estimate
    frame_rate: Fraction | None  # average, frames a second
    codec: str
    pixel_format: str
    time_base: Fraction  # seconds a tick
    color_space: int = UNSPECIFIED
    color_range: int = 0
    color_primaries: int = UNSPECIFIED
    color_transfer: int = UNSPECIFIED
    audio_codecs: tuple[str, ...] = ()
    audio_rates: tuple[int, ...] = ()  # samples a second
    audio_starts: tuple[Fraction, ...] = ()  # seconds; where the container states them
    num_streams: int = 1
    start_seconds: float = 0.0  # when the first frame is shown
    bits_per_component: int = 8
    is_mirrored: bool = False
    sample_aspect_ratio: Fraction | None = None  # of the upright picture; None is square
    display_matrix: tuple[int, ...] = IDENTITY  # ``orientation.py`` explains it
    grading: Grading = UNGRADED


def probe(path: Footage) -> VideoInfo:
    """The facts of a clip; decodes one frame.

    InputNotFoundError: no such file. VideoError: not a video, no video stream, or no frame of
    it can be decoded.
    """
    with Clip(path) as clip:
        container, stream = clip.container, clip.stream
        first = next(clip.frames())
        matrix = clip.matrix_of(first.native)
        tags = tags_of(first.native)
        height, width = first.native.height, first.native.width
        aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
        aspect = aspect or Fraction(1)
        if is_transposed(matrix):
            height, width, aspect = width, height, 1 / aspect
        if stream.duration is not None:
            duration_seconds = float(stream.duration * clip.time_base)
        elif container.duration is not None:
            duration_seconds = container.duration / 1e6  # AV_TIME_BASE
        else:
            duration_seconds = None
        rate = clip.frame_rate
        num_frames = stream.frames or None
        if num_frames is None and duration_seconds is not None and rate is not None:
            num_frames = max(1, round(duration_seconds * rate))
        return VideoInfo(
            path=path,
            width=width,
            height=height,
            rotation_degrees=clockwise_degrees(matrix),
            duration_seconds=duration_seconds,
            num_frames=num_frames,
            frame_rate=rate,
            codec=stream.codec_context.name,
            pixel_format=first.native.format.name,
            time_base=clip.time_base,
            color_space=tags.matrix,
            color_range=tags.range,
            color_primaries=tags.primaries,
            color_transfer=tags.transfer,
            audio_codecs=tuple(
                "unknown" if audio.codec_context is None else audio.codec_context.name
                for audio in container.streams.audio
            ),
            audio_rates=tuple(
                audio.codec_context.sample_rate
                for audio in container.streams.audio
                if audio.codec_context is not None
            ),
            audio_starts=tuple(
                audio.start_time * audio.time_base
                for audio in container.streams.audio
                if audio.start_time is not None and audio.time_base is not None
            ),
            num_streams=len(container.streams),
            start_seconds=clip.seconds(first.pts),
            bits_per_component=max(part.bits for part in first.native.format.components),
            is_mirrored=is_mirrored(matrix),
            sample_aspect_ratio=None if aspect == 1 else aspect,
            display_matrix=matrix,
            grading=grading_of(first.native),
        )


def check_time_range(start_seconds: float | None, end_seconds: float | None) -> None:
    """Raise TimeRangeError for a range [start, end) that is empty whatever the clip.

    >>> check_time_range(1.0, 2.0)
    >>> check_time_range(2.0, 2.0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    megafs_video.errors.TimeRangeError: the time range 2.0 to 2.0 s is empty; ...
    """
    for seconds in (start_seconds, end_seconds):
        if seconds is not None and not math.isfinite(seconds):
            raise TimeRangeError(f"{seconds} is not a time; give seconds, such as 12.5")
    if start_seconds is not None and end_seconds is not None and end_seconds <= start_seconds:
        raise TimeRangeError(
            f"the time range {start_seconds} to {end_seconds} s is empty; "
            "the end must come after the start"
        )
