"""Options on how the target is read and how the output is compressed."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

import typer


def parse_rate(text: str) -> Fraction:
    """Pictures a second: a number or a fraction; anything else is a usage error.

    >>> parse_rate("30000/1001"), parse_rate("23.5")
    (Fraction(30000, 1001), Fraction(47, 2))
    """
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise typer.BadParameter(f"{text!r} is not a rate; use 24, 23.976 or 30000/1001") from None


RateOption = Annotated[
    Fraction | None,
    typer.Option(
        "--rate",
        parser=parse_rate,
        metavar="NUMBER",
        help="Pictures a second, if TARGET is a sequence of pictures: 24, 23.976 or 30000/1001. "
        "Default: 25.",
    ),
]
CodecOption = Annotated[
    str,
    typer.Option(
        "--codec",
        metavar="auto|h264|hevc|av1|vp9|prores|ffv1|NAME",
        help="How to compress the picture; auto goes by the name of OUTPUT. A graphics card's "
        "encoder is used only by name, such as h264_nvenc, hevc_qsv, av1_amf or "
        "hevc_videotoolbox; `megafs-video doctor` says which this machine has.",
    ),
]
QualityOption = Annotated[
    float | None,
    typer.Option(
        "--quality",
        metavar="NUMBER",
        help="Constant rate factor: 0 is the best and largest, 51 (h264, hevc) or 63 (av1, vp9) "
        "the worst. Default: no loss that an eye can see.",
    ),
]
LosslessOption = Annotated[
    bool,
    typer.Option(
        "--lossless",
        help="Keep every sample that goes to the encoder (h264, hevc, av1, vp9, ffv1, nvenc): a "
        "large file, which some players do not show. Instead of --quality.",
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="How hard the codec tries to make the file small: ultrafast to veryslow for h264 and "
        "hevc, a number (small is slow) for av1 and vp9, proxy to 4444xq for prores.",
    ),
]
