"""The screen that a picture of high dynamic range was graded on, and how bright it gets.

SMPTE ST 2086 (mastering display) and CTA-861.3 (content light level): static metadata that
players need to show HDR10 as it was meant. Decoders attach it to frames; encoders want it told.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

from megafs_video.video.orientation import side_data_of

# FFmpeg's AVMasteringDisplayMetadata: 10 fractions (red, green, blue, white as x, y; lowest and
# highest luminance), then whether there are primaries and luminances.
_MASTERING_LAYOUT = struct.Struct("<22i")
_LIGHT_LAYOUT = struct.Struct("<2I")

# Steps in which ST 2086 counts chromaticity, and luminance in candela per square metre.
_CHROMATICITY_STEP = Fraction(1, 50_000)
_LUMINANCE_STEP = Fraction(1, 10_000)


@dataclass(frozen=True)
class ParamStyle:
    """How an encoder's private settings spell it."""

    option: str  # of FFmpeg, which hands it on
    mastering: str
    light: str
    counts_steps: bool

    def write(self, value: Fraction, step: Fraction) -> str:
        """A value in the encoder's spelling."""
        return str(round(value / step)) if self.counts_steps else f"{float(value):.5f}"


X264 = ParamStyle("x264-params", "mastering-display", "cll", True)
X265 = ParamStyle("x265-params", "master-display", "max-cll", True)
SVT_AV1 = ParamStyle("svtav1-params", "mastering-display", "content-light", False)


@dataclass(frozen=True)
class Grading:
    """What is known; empty where nothing is."""

    # x and y of red, green, blue and white, then the lowest and highest luminance, cd/m².
    mastering: tuple[Fraction, ...] = ()
    light: tuple[
        int, ...
    ] = ()  # the brightest sample's level and the brightest frame's mean, cd/m²

    def params(self, style: ParamStyle) -> list[str]:
        """Settings that make an encoder write it; none if nothing is known.

        x264 and x265 count in the steps of ST 2086, SVT-AV1 takes numbers.

        >>> Grading(light=(1000, 400)).params(X265)
        ['max-cll=1000,400']
        """
        params = []
        if self.mastering:
            chromaticities = [style.write(each, _CHROMATICITY_STEP) for each in self.mastering[:8]]
            lowest, highest = (style.write(each, _LUMINANCE_STEP) for each in self.mastering[8:])
            red, green, blue, white = (f"({x},{y})" for x, y in _pairs(chromaticities))
            params.append(f"{style.mastering}=G{green}B{blue}R{red}WP{white}L({highest},{lowest})")
        if self.light:
            params.append(f"{style.light}={self.light[0]},{self.light[1]}")
        return params


UNGRADED = Grading()


def grading_of(frame: av.VideoFrame) -> Grading:
    """What a decoded frame carries."""
    side_data = side_data_of(frame)
    mastering: tuple[Fraction, ...] = ()
    light: tuple[int, ...] = ()
    if "MASTERING_DISPLAY_METADATA" in side_data:
        numbers = _MASTERING_LAYOUT.unpack_from(bytes(side_data["MASTERING_DISPLAY_METADATA"]))
        has_primaries, has_luminance = numbers[20:]
        if has_primaries and has_luminance and all(numbers[1:20:2]):
            mastering = tuple(Fraction(*pair) for pair in _pairs(numbers[:20]))
    if "CONTENT_LIGHT_LEVEL" in side_data:
        light = _LIGHT_LAYOUT.unpack_from(bytes(side_data["CONTENT_LIGHT_LEVEL"]))
    return Grading(mastering, light)


def _pairs(values: Any) -> list[tuple[Any, Any]]:
    return list(zip(values[::2], values[1::2], strict=True))
