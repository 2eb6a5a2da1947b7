"""Who gets which face: options of ``swap`` and ``preview`` and the files they go with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

_SECONDS = re.compile(r"(?P<number>\d+\.?\d*|\.\d+)\s*(?P<unit>ms|s)?")
MAX_GAP_SECONDS = 1.0

MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="TARGET.jpg=SOURCE.jpg",
        help="Give the person in the first picture the face in the second, wherever they are in "
        "the video. Repeat it for several people; SOURCE is then left out.",
    ),
]
MaxGapOption = Annotated[
    str,
    typer.Option(
        "--max-gap",
        metavar="SECONDS|MILLISECONDSms",
        help="A face that is missed for no longer, such as 0.3 or 300ms, is put back where it "
        "must have been; beyond that the video stays as it is. 0 to 1 s.",
    ),
]


def parse_gap(text: str) -> float:
    """Seconds of ``0.3``, ``0.3s`` or ``300ms``; a usage error for anything else or beyond 1 s.

    >>> parse_gap("0.25"), parse_gap("250 ms"), parse_gap("0s")
    (0.25, 0.25, 0.0)
    """
    found = _SECONDS.fullmatch(text.strip())
    seconds = -1.0
    if found is not None:
        seconds = float(found["number"]) / (1000 if found["unit"] == "ms" else 1)
    if not 0 <= seconds <= MAX_GAP_SECONDS:
        raise typer.BadParameter(
            f"--max-gap {text!r} is no time from 0 to {MAX_GAP_SECONDS:g} s; write 0.3 or 300ms"
        )
    return seconds


def parse_map(texts: Sequence[str]) -> dict[Path, Path]:
    """Pictures of people and of what they are given; a usage error if one is not understood.

    >>> {a.name: b.name for a, b in parse_map(["anna.jpg=x.jpg", "ben.jpg=y.jpg"]).items()}
    {'anna.jpg': 'x.jpg', 'ben.jpg': 'y.jpg'}
    """
    found: dict[Path, Path] = {}
    for text in texts:
        person, *source = text.split("=")
        if not person or len(source) != 1 or not source[0]:
            raise typer.BadParameter(
                f"--map {text!r} is not two pictures; write TARGET.jpg=SOURCE.jpg, "
                "with no other = in the names"
            )
        if Path(person) in found:
            raise typer.BadParameter(f"--map names {person} twice; give each person one source")
        found[Path(person)] = Path(source[0])
    return found


def check_alone(people: dict[Path, Path], reference: Path | None, source_face: int | None) -> None:
    """A usage error if ``--map`` meets an option that it replaces."""
    for name, value in (("--reference", reference), ("--source-face", source_face)):
        if people and value is not None:
            raise typer.BadParameter(
                f"--map says who is swapped and by whom; leave {name} out, and use pictures of "
                "one face each"
            )


def shift_files(files: Sequence[Path | None], names: str, people: dict[Path, Path]) -> list[Path]:
    """SOURCE, or nothing with ``--map``, and the other files; a usage error if there are not all.

    ``names`` is how they are called, SOURCE first.
    """
    given = [path for path in files if path is not None]
    wanted = names.split()[bool(people) :]
    if len(given) != len(wanted):
        why = "with --map, SOURCE is left out" if people else "SOURCE is left out only with --map"
        raise typer.BadParameter(f"{len(given)} files were given, wanted {' '.join(wanted)}; {why}")
    return given
