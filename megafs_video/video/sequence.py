"""Numbered pictures, as renderers and film scanners write them: a clip in many files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from megafs_video.errors import InputNotFoundError, VideoError

DEFAULT_RATE = Fraction(25)
"""Pictures a second where nobody says."""

_MAX_RATE = 1000
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
_NUMBERED = re.compile(r"(?P<prefix>.*?)(?P<number>\d+)(?P<suffix>\.\w+)", re.DOTALL)
_PATTERN = re.compile(r"(?P<prefix>.*)%(?:0?(?P<digits>\d+))?d(?P<suffix>\.\w+)", re.DOTALL)


@dataclass(frozen=True)
class PictureSequence:
    """Pictures of one series, numbered without a gap, and how many of them a second shows."""

    folder: Path
    prefix: str
    num_digits: int  # a number has at least so many: 4 for 0001
    suffix: str
    first_number: int
    num_pictures: int
    rate: Fraction  # pictures a second

    def __post_init__(self) -> None:
        if not 0 < self.rate <= _MAX_RATE:
            raise VideoError(
                f"{self.rate} pictures a second is out of range; "
                f"give more than 0 and at most {_MAX_RATE}, such as 24 or 30000/1001"
            )

    def __str__(self) -> str:
        return str(self.folder / f"{self.prefix}%0{self.num_digits}d{self.suffix}")

    @property
    def ffmpeg_pattern(self) -> str:
        """How FFmpeg's reader of sequences wants to be told; other signs of its own are doubled."""
        folder, prefix, suffix = (
            part.replace("%", "%%") for part in (str(self.folder), self.prefix, self.suffix)
        )
        return f"{folder}/{prefix}%0{self.num_digits}d{suffix}"

    @property
    def first(self) -> Path:
        """The first picture."""
        return next(self.paths())

    def paths(self) -> Iterator[Path]:
        """Every picture, in order."""
        for number in range(self.first_number, self.first_number + self.num_pictures):
            yield self.folder / f"{self.prefix}{number:0{self.num_digits}}{self.suffix}"


Footage = Path | PictureSequence
"""What can be read as a video."""


def file_of(footage: Footage) -> Path:
    """The file, or the first one of a sequence."""
    return footage.first if isinstance(footage, PictureSequence) else footage


def footage_at(path: Path, rate: Fraction | None = None) -> Footage:
    """The file of that name, or the pictures in that folder or of that pattern (``a-%04d.png``).

    ``rate`` is in pictures a second, for pictures alone. InputNotFoundError: a folder or pattern
    without pictures. VideoError: pictures of several series, one that is missing among the
    others, a rate out of range or for a file that has times of its own.
    """
    pattern = _PATTERN.fullmatch(path.name)
    if path.is_dir():
        return _sequence(path, _names_in(path), path, rate)
    if pattern is not None and not path.exists():
        wanted = (pattern["prefix"], pattern["suffix"].lower())
        names = [
            name
            for name in _names_in(path.parent)
            if (found := _NUMBERED.fullmatch(name)) is not None
            and (found["prefix"], found["suffix"].lower()) == wanted
            and len(found["number"]) >= int(pattern["digits"] or 1)
        ]
        return _sequence(path.parent, names, path, rate)
    if rate is not None:
        raise VideoError(f"{path} has times of its own; a rate is for pictures in a folder")
    return path


def as_footage(target: Footage | str) -> Footage:
    """What a caller named: a name may be that of a folder or a pattern; errors as above."""
    return target if isinstance(target, PictureSequence) else footage_at(Path(target))


def _names_in(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return [
        each.name
        for each in folder.iterdir()
        # A pipe or a device would be read without an end.
        if each.suffix.lower() in _SUFFIXES and not each.name.startswith(".") and each.is_file()
    ]


def _sequence(
    folder: Path, names: list[str], asked: Path, rate: Fraction | None
) -> PictureSequence:
    if not names:
        raise InputNotFoundError(
            f"{asked} has no pictures ({', '.join(_SUFFIXES)}); name a clip, a folder of "
            "numbered pictures, or their pattern, such as frame-%04d.png"
        )
    numbered: dict[int, str] = {}
    series = set()
    for name in names:
        found = _NUMBERED.fullmatch(name)
        if found is None:
            raise VideoError(f"{folder / name} has no number; number the pictures, or move it away")
        series.add((found["prefix"], found["suffix"]))
        numbered[int(found["number"])] = found["number"]
    if len(series) > 1 or len(numbered) < len(names):
        shown = ", ".join(sorted(names)[:2])
        raise VideoError(
            f"{asked} has pictures of several series (such as {shown}); "
            "give the pattern of one, such as frame-%04d.png"
        )
    first, last = min(numbered), max(numbered)
    [(prefix, suffix)] = series
    num_digits = len(numbered[first])
    sequence = PictureSequence(
        *(
            folder,
            prefix,
            num_digits,
            suffix,
            first,
            last - first + 1,
            DEFAULT_RATE if rate is None else rate,
        )
    )
    present = set(names)
    missing = next((each.name for each in sequence.paths() if each.name not in present), None)
    if missing is not None:
        raise VideoError(
            f"{folder / missing} is missing among the pictures from {numbered[first]} to "
            f"{numbered[last]}; number them without a gap, or give them as several clips"
        )
    return sequence
