"""The table of video encoders and containers, and the choice among them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.codec.codec import find_best_pix_fmt_of_list
from av.video.codeccontext import VideoCodecContext

from megafs_video.errors import CodecError
from megafs_video.video.grading import SVT_AV1, X264, X265, Grading, ParamStyle
from megafs_video.video.planes import bits_of, has_alpha, planar_format

# What encoders plan their bits by when the clip does not state a rate; no time comes from it.
PLANNING_RATE = Fraction(25)

_X264_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow"),
)
_PRORES_PRESETS = ("proxy", "lt", "standard", "hq", "4444", "4444xq")


@dataclass(frozen=True)
class Codec:
    """One way to compress video, as the user names it."""

    name: str
    encoder: str  # FFmpeg's name
    max_quality: float | None  # constant rate factor, 0 (best) to this; None: takes none
    default_quality: float | None  # visually lossless
    presets: tuple[str, ...]  # fast or small; empty: no choice
    default_preset: str | None
    preset_option: str = "preset"
    fixed_options: tuple[tuple[str, str], ...] = ()
    takes_odd_sizes: bool = True  # in 4:2:0
    common_bits: int = 16  # deeper pictures are held too, but few players show them
    keeps_alpha: bool = False
    grading_style: ParamStyle | None = None

    def formats(self) -> list[str]:
        """The planar YUV formats that the encoder takes and that come back as they went in."""
        formats = av.Codec(self.encoder, "w").video_formats or []
        return [
            each.name
            for each in formats
            if planar_format(each.name) == each.name
            and (self.keeps_alpha or not has_alpha(each.name))
        ]

    def closest_format(self, like: str) -> str:
        """The format that loses least of a planar YUV format: itself, if the encoder takes it."""
        found, _ = find_best_pix_fmt_of_list(self.formats(), like, has_alpha(like))
        assert found is not None  # the table names no encoder without formats
        return found.name

    def suits(self, like: str) -> bool:
        """Whether it is a good choice for a format: holds it as it is, and players know it.

        Lossless files are so large that they are chosen only for what nothing else can hold.
        """
        return (
            self.closest_format(like) == like
            and bits_of(like) <= self.common_bits
            and (self.max_quality is not None or has_alpha(like))
        )


CODECS = {
    codec.name: codec
    for codec in (
        Codec(
            *("h264", "libx264", 51, 18, _X264_PRESETS, "veryfast"),
            takes_odd_sizes=False,
            common_bits=8,
            grading_style=X264,
        ),
        Codec(
            *("hevc", "libx265", 51, 20, _X264_PRESETS, "veryfast"),
            # x265 prints to the terminal past FFmpeg's log.
            fixed_options=(("x265-params", "log-level=error"),),
            takes_odd_sizes=False,
            grading_style=X265,
        ),
        Codec(
            *("av1", "libsvtav1", 63, 24, tuple(str(speed) for speed in range(11)), "8"),
            grading_style=SVT_AV1,
        ),
        Codec(
            *("vp9", "libvpx-vp9", 63, 24, tuple(str(speed) for speed in range(9)), "5"),
            preset_option="cpu-used",
            # Without b=0 the rate factor is only an upper bound to a bit rate.
            fixed_options=(("b", "0"), ("deadline", "good"), ("row-mt", "1")),
        ),
        Codec(
            *("prores", "prores_ks", None, None, _PRORES_PRESETS, None),
            preset_option="profile",
            takes_odd_sizes=False,
            keeps_alpha=True,
        ),
        Codec(
            *("ffv1", "ffv1", None, None, (), None),
            fixed_options=(("level", "3"),),
            keeps_alpha=True,
        ),
    )
}


@dataclass(frozen=True)
class Format:
    """A container: how FFmpeg calls it and what it may hold."""

    muxer: str
    codecs: tuple[str, ...]  # "auto" is the first one that suits the clip, else the first
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
        """The encoder's options, with what it has to write about the screen."""
        options = dict(self.options)
        style = self.codec.grading_style
        if style is not None and (params := grading.params(style)):
            options[style.option] = ":".join(filter(None, [options.get(style.option), *params]))
        return options

    def check_size(self, height: int, width: int) -> None:
        """Raise CodecError if the encoder does not start at this size; writes nothing."""
        context = av.CodecContext.create(self.codec.encoder, "w")
        assert isinstance(context, VideoCodecContext)
        context.height, context.width = height, width
        context.pix_fmt = self.pixel_format(height, width)
        context.framerate = PLANNING_RATE
        context.time_base = 1 / PLANNING_RATE
        context.options = dict(self.options)
        open_encoder(context, self.codec)


def open_encoder(context: VideoCodecContext, codec: Codec) -> None:
    """Start an encoder; CodecError if it refuses."""
    # SVT-AV1 asks the environment, and nothing else, how much to print to the terminal.
    os.environ.setdefault("SVT_LOG", "1")
    try:
        context.open()
    except av.FFmpegError as error:
        raise CodecError(
            f"the {codec.name} encoder does not take pictures of "
            f"{context.width}x{context.height} as {context.pix_fmt} with {context.options}; "
            "try another --codec"
        ) from error


def choose_encoding(
    output: Path,
    codec: str = "auto",
    quality: float | None = None,
    preset: str | None = None,
    like_format: str = "yuv420p",
) -> Encoding:
    """The encoder for an output file; CodecError says which choices there are.

    ``like_format`` is the planar YUV format of the pictures; the encoder takes the nearest.

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
        raise CodecError(f"codec {codec} is unknown; use one of auto, {', '.join(CODECS)}")
    if name not in format.codecs:
        raise CodecError(
            f"{suffix} cannot hold {name}; use {', '.join(format.codecs)} or another suffix"
        )
    chosen = CODECS[name]
    if chosen.encoder not in av.codecs_available:
        raise CodecError(
            f"the installed PyAV has no {chosen.encoder}; use another --codec, or the PyAV wheel"
        )
    options = dict(chosen.fixed_options)
    if chosen.max_quality is None:
        if quality is not None:
            kind = "sized by its preset" if chosen.presets else "lossless"
            raise CodecError(f"{name} is {kind}: it takes no quality; leave --quality out")
    else:
        factor = chosen.default_quality if quality is None else quality
        if factor is None or not 0 <= factor <= chosen.max_quality:
            raise CodecError(
                f"quality {quality} is out of range for {name}; "
                f"give 0 (best) to {chosen.max_quality:g}"
            )
        # Only x264 and x265 know halves.
        options["crf"] = f"{factor:g}" if name in ("h264", "hevc") else str(round(factor))
    if preset is not None and preset not in chosen.presets:
        known = f"use one of {', '.join(chosen.presets)}" if chosen.presets else "leave it out"
        raise CodecError(f"preset {preset} is unknown to {name}; {known}")
    if (speed := preset or chosen.default_preset) is not None:
        options[chosen.preset_option] = speed
    return Encoding(chosen, format, tuple(options.items()), like_format)


def _automatic(format: Format, like_format: str) -> str:
    suitable = (name for name in format.codecs if CODECS[name].suits(like_format))
    return next(suitable, format.codecs[0])
