"""The table of containers, and the choice of an encoder for a clip."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.video.codeccontext import VideoCodecContext

from megafs_video.errors import CodecError
from megafs_video.video.codec import CODECS, HARDWARE, SOFTWARE, Codec, Quality
from megafs_video.video.grading import Grading

# What encoders plan their bits by when the clip does not state a rate; no time comes from it.
PLANNING_RATE = Fraction(25)


@dataclass(frozen=True)
class Format:
    """A container: how FFmpeg calls it and what it may hold."""

    muxer: str
    codecs: tuple[str, ...]  # compressions; "auto" is the first that suits the clip, or the first
    subtitle_codec: str  # text subtitles become this if they cannot be copied


_MP4 = Format("mp4", ("h264", "hevc", "av1", "vp9"), "mov_text")
FORMATS = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": Format("mov", ("h264", "hevc", "prores"), "mov_text"),
    ".mkv": Format("matroska", ("h264", "hevc", "av1", "vp9", "ffv1", "prores"), "subrip"),
    ".webm": Format("webm", ("vp9", "av1"), "webvtt"),
}


@dataclass(frozen=True)
class Encoding:
    """A choice that has been checked: it fits the container and its values exist."""

    codec: Codec
    format: Format
    options: tuple[tuple[str, str], ...]
    like_format: str = "yuv420p"  # planar YUV: what the pictures to encode come in

    def pixel_format(self, height: int, width: int) -> str:
        """The one nearest to the pictures'; 4:4:4 where the encoder cannot halve an odd size."""
        closest = self.codec.closest_format(self.like_format)
        is_odd = height % 2 == 1 or width % 2 == 1
        if is_odd and not self.codec.takes_odd_sizes:
            return closest.replace("420p", "444p").replace("422p", "444p")
        return closest

    def options_with(self, grading: Grading) -> dict[str, str]:
        """The encoder's options on this machine, with what it has to write about the screen."""
        added = list(self.codec.machine_options())
        if (style := self.codec.grading_style) is not None:
            added += [(style.option, param) for param in grading.params(style)]
        options = dict(self.options)
        for key, value in added:
            options[key] = ":".join(filter(None, [options.get(key), value]))
        return options

    def check_size(self, height: int, width: int) -> None:
        """Raise CodecError if the encoder does not start at this size; writes nothing."""
        open_encoder(self._context(height, width), self.codec)

    def starts(self) -> bool:
        """Whether the encoder starts at all on this machine."""
        try:
            self._context(480, 640).open()
        except av.FFmpegError:
            return False
        return True

    def _context(self, height: int, width: int) -> VideoCodecContext:
        context = av.CodecContext.create(self.codec.encoder, "w")
        assert isinstance(context, VideoCodecContext)
        context.height, context.width = height, width
        context.pix_fmt = self.pixel_format(height, width)
        context.framerate = PLANNING_RATE
        context.time_base = 1 / PLANNING_RATE
        context.options = dict(self.options)
        return context


def open_encoder(context: VideoCodecContext, codec: Codec) -> None:
    """Start an encoder; CodecError if it refuses."""
    # SVT-AV1 asks the environment, and nothing else, how much to print to the terminal.
    os.environ.setdefault("SVT_LOG", "1")
    try:
        context.open()
    except av.FFmpegError as error:
        what = f"{context.width}x{context.height} as {context.pix_fmt} with {context.options}"
        if codec.is_hardware:
            raise CodecError(
                f"{codec.name} does not start here with pictures of {what}; the machine has no "
                f"such encoder, its driver is missing or it takes no such pictures; these work: "
                f"{', '.join(working_codecs(without=codec.name))}"
            ) from error
        raise CodecError(
            f"the {codec.name} encoder does not take pictures of {what}; try another --codec"
        ) from error


def working_codecs(without: str = "") -> list[str]:
    """Codecs that can be used here, by name: the software's, and the machine's if they start."""
    return [
        codec.name
        for codec in CODECS.values()
        if codec.name != without and codec.encoder in av.codecs_available
        # In a container that holds every codec.
        if not codec.is_hardware or choose_encoding(Path("any.mkv"), codec.name).starts()
    ]


def choose_encoding(
    output: Path,
    codec: str = "auto",
    quality: Quality | None = None,
    preset: str | None = None,
    like_format: str = "yuv420p",
) -> Encoding:
    """The encoder for an output file; CodecError says which choices there are.

    ``like_format`` is the planar YUV format of the pictures; the encoder takes the nearest.
    Hardware is never chosen but by its name.

    >>> choose_encoding(Path("clip.mp4")).codec.encoder
    'libx264'
    >>> choose_encoding(Path("clip.mp4"), like_format="yuv420p10le").codec.encoder
    'libx265'
    """
    suffix = output.suffix.lower()
    if suffix not in FORMATS:
        raise CodecError(
            f"{output.name} does not end in a known container; use one of {', '.join(FORMATS)}"
        )
    format = FORMATS[suffix]
    name = _automatic(format, like_format) if codec == "auto" else codec
    if name not in CODECS:
        known = ", ".join(each.name for each in SOFTWARE)
        cards = ", ".join(each.name for each in HARDWARE)
        raise CodecError(
            f"codec {codec} is unknown; use one of auto, {known}, "
            f"or, where the machine has it, {cards}"
        )
    chosen = CODECS[name]
    if chosen.compression not in format.codecs:
        raise CodecError(
            f"{suffix} cannot hold {name}; use {', '.join(format.codecs)} or another suffix"
        )
    if chosen.encoder not in av.codecs_available:
        raise CodecError(
            f"the installed PyAV has no {chosen.encoder}; these work: {', '.join(working_codecs())}"
        )
    options = dict(chosen.fixed_options)
    for key, value in _quality_options(chosen, quality, like_format):
        options[key] = ":".join(filter(None, [options.get(key), value]))
    if preset is not None and preset not in chosen.presets:
        known = f"use one of {', '.join(chosen.presets)}" if chosen.presets else "leave it out"
        raise CodecError(f"preset {preset} is unknown to {name}; {known}")
    if (speed := preset or chosen.default_preset) is not None:
        options[chosen.preset_option] = speed
    return Encoding(chosen, format, tuple(options.items()), like_format)


def _quality_options(
    codec: Codec, quality: Quality | None, like_format: str
) -> tuple[tuple[str, str], ...]:
    if quality == "lossless":
        if codec.lossless_options is None or not codec.holds(like_format):
            able = [
                each.name
                for each in SOFTWARE
                if each.lossless_options is not None and each.holds(like_format)
            ]
            raise CodecError(
                f"{codec.name} cannot keep every sample of {like_format} pictures; "
                f"for lossless use {' or '.join(able)}"
            )
        return codec.lossless_options
    if codec.max_quality is None:
        if quality is not None:
            kind = "sized by its preset" if codec.presets else "lossless"
            raise CodecError(f"{codec.name} is {kind}: it takes no quality; leave --quality out")
        return ()
    factor = codec.default_quality if quality is None else quality
    if factor is None or not 0 <= factor <= codec.max_quality:
        raise CodecError(
            f"quality {quality} is out of range for {codec.name}; "
            f"give 0 (best) to {codec.max_quality:g}"
        )
    return codec.quality_options(factor)


def _automatic(format: Format, like_format: str) -> str:
    suitable = (name for name in format.codecs if CODECS[name].suits(like_format))
    return next(suitable, format.codecs[0])
