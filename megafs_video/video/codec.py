"""The table of video codecs: how users name them, and how FFmpeg's encoders want to be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import av
from av.codec.codec import find_best_pix_fmt_of_list

from megafs_video.video.grading import SVT_AV1, X264, X265, ParamStyle
from megafs_video.video.planes import bits_of, has_alpha, planar_format

Options = tuple[tuple[str, str], ...]
"""Settings of an encoder, by FFmpeg's names."""

Quality = float | Literal["lossless"]
"""0 (best) to the codec's worst, or every sample as it is."""

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
    compression: str  # what it makes, which containers hold or do not
    max_quality: float | None  # 0 is the best, this the worst; None: takes none
    default_quality: float | None  # visually lossless
    presets: tuple[str, ...]  # fast or small; empty: no choice
    default_preset: str | None
    preset_option: str = "preset"
    quality_options: Callable[[float], Options] = lambda quality: ()
    lossless_options: Options | None = None  # None: always loses something
    fixed_options: Options = ()
    takes_odd_sizes: bool = True  # in 4:2:0
    common_bits: int = 16  # deeper pictures are held too, but few players show them
    keeps_alpha: bool = False
    is_hardware: bool = False
    grading_style: ParamStyle | None = None
    machine_options: Callable[[], Options] = lambda: ()  # what this machine's processor asks for

    def formats(self) -> list[str]:
        """The YUV formats that the encoder takes and that come back as they went in.

        Planar ones; a graphics card may want the same samples in another order (NV12, P010).
        """
        formats = av.Codec(self.encoder, "w").video_formats or []
        return [
            each.name
            for each in formats
            if planar_format(each.name) in ({each.name} if not self.is_hardware else _PLANAR)
            and (self.keeps_alpha or not has_alpha(each.name))
        ]

    def closest_format(self, like: str) -> str:
        """The format that loses least of a planar YUV format: itself, if the encoder takes it."""
        found, _ = find_best_pix_fmt_of_list(self.formats(), like, has_alpha(like))
        assert found is not None  # the table names no encoder without formats
        return found.name

    def holds(self, like: str) -> bool:
        """Whether every sample of a planar YUV format has its place."""
        return planar_format(self.closest_format(like)) == like

    def suits(self, like: str) -> bool:
        """Whether it is a good choice for a format: holds it as it is, and players know it.

        Lossless files are so large that they are chosen only for what nothing else can hold.
        """
        return (
            self.holds(like)
            and bits_of(like) <= self.common_bits
            and (self.max_quality is not None or has_alpha(like))
        )


# What hardware encoders take, whatever the order of the samples.
_PLANAR = frozenset(
    f"yuv{subsampling}p{depth}" for subsampling in (420, 422, 444) for depth in ("", "10le")
)


# OpenCV's number for what x264 wants of AVX-512 (F, CD, BW, DQ and VL); Python has no name for it.
_OPENCV_AVX512 = 256


def _without_avx512() -> Options:
    """Keep x264 from AVX-512, with which the same pictures do not always make the same packets.

    Its mbtree then takes eight blocks of 16 pixels at a time and counts those behind the end of a
    row: behind the last row it counts whatever the memory held before, unless the width is a
    multiple of 128. Whatever has AVX-512 has AVX2, and x264 is as fast with that.
    """
    import cv2

    return (("x264-params", "asm=AVX2"),) if cv2.checkHardwareSupport(_OPENCV_AVX512) else ()


def _rate_factor(quality: float) -> Options:
    return (("crf", f"{quality:g}"),)


def _whole_rate_factor(quality: float) -> Options:
    return (("crf", str(round(quality))),)


SOFTWARE = (
    Codec(
        *("h264", "libx264", "h264", 51, 18, _X264_PRESETS, "veryfast"),
        quality_options=_rate_factor,
        lossless_options=(("qp", "0"),),
        takes_odd_sizes=False,
        common_bits=8,
        grading_style=X264,
        machine_options=_without_avx512,
    ),
    Codec(
        *("hevc", "libx265", "hevc", 51, 20, _X264_PRESETS, "veryfast"),
        quality_options=_rate_factor,
        lossless_options=(("x265-params", "lossless=1"),),
        # x265 prints to the terminal past FFmpeg's log.
        fixed_options=(("x265-params", "log-level=error"),),
        takes_odd_sizes=False,
        grading_style=X265,
    ),
    Codec(
        *("av1", "libsvtav1", "av1", 63, 24, tuple(str(speed) for speed in range(11)), "8"),
        quality_options=_whole_rate_factor,
        # Between key frames SVT-AV1 4 loses a few levels of 10 bits: so all are key frames.
        lossless_options=(("svtav1-params", "lossless=1:keyint=1"),),
        grading_style=SVT_AV1,
    ),
    Codec(
        *("vp9", "libvpx-vp9", "vp9", 63, 24, tuple(str(speed) for speed in range(9)), "5"),
        preset_option="cpu-used",
        quality_options=_whole_rate_factor,
        lossless_options=(("lossless", "1"),),
        # Without b=0 the rate factor is only an upper bound to a bit rate.
        fixed_options=(("b", "0"), ("deadline", "good"), ("row-mt", "1")),
    ),
    Codec(
        *("prores", "prores_ks", "prores", None, None, _PRORES_PRESETS, None),
        preset_option="profile",
        takes_odd_sizes=False,
        keeps_alpha=True,
    ),
    Codec(
        *("ffv1", "ffv1", "ffv1", None, None, (), None),
        lossless_options=(),
        fixed_options=(("level", "3"),),
        keeps_alpha=True,
    ),
)


def _nvenc(quality: float) -> Options:
    # A quality of 0 would let the card choose.
    return (("rc", "vbr"), ("b", "0"), ("cq", f"{max(quality, 0.1):g}"))


def _qsv(quality: float) -> Options:
    return (("global_quality", str(max(1, round(quality)))),)


def _amf(quality: float) -> Options:
    return (("rc", "cqp"), ("qp_i", str(round(quality))), ("qp_p", str(round(quality))))


def _videotoolbox(quality: float) -> Options:
    # Counts from 1 to 100, the best, in units of 118 (FFmpeg's FF_QP2LAMBDA).
    return (("flags", "+qscale"), ("global_quality", str(118 * round(100 - quality * 99 / 51))))


@dataclass(frozen=True)
class _Family:
    """The encoders of one maker's graphics cards or processors, by FFmpeg's name."""

    name: str
    quality_options: Callable[[float], Options]
    presets: tuple[str, ...] = ()
    default_preset: str | None = None
    lossless_options: Options | None = None
    compressions: tuple[str, ...] = ("h264", "hevc", "av1")


_FAMILIES = (
    _Family(
        *("nvenc", _nvenc, ("p1", "p2", "p3", "p4", "p5", "p6", "p7"), "p5"),
        lossless_options=(("tune", "lossless"),),
    ),
    _Family("qsv", _qsv, _X264_PRESETS[2:], "medium"),
    _Family("amf", _amf, ("speed", "balanced", "quality"), "quality"),
    _Family("videotoolbox", _videotoolbox, compressions=("h264", "hevc")),
)

HARDWARE = tuple(
    Codec(
        *(f"{compression}_{family.name}", f"{compression}_{family.name}", compression),
        max_quality=51,
        default_quality=20,
        presets=family.presets,
        default_preset=family.default_preset,
        quality_options=family.quality_options,
        lossless_options=family.lossless_options,
        takes_odd_sizes=False,
        is_hardware=True,
    )
    for family in _FAMILIES
    for compression in family.compressions
)

CODECS = {codec.name: codec for codec in SOFTWARE + HARDWARE}
