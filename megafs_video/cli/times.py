"""Times as people write them."""

from __future__ import annotations

import re

import typer

_TIME = re.compile(r"(?:(?:(?P<hours>\d+):)?(?P<minutes>\d+):)?(?P<seconds>\d+(?:\.\d*)?|\.\d+)")


def parse_time(text: str | float) -> float:
    """Seconds of ``SS[.mmm]``, ``MM:SS[.mmm]`` or ``HH:MM:SS[.mmm]``.

    Anything else is a usage error, and so are minutes or seconds of 60 and more behind a colon.

    >>> parse_time("90"), parse_time("1:30"), parse_time("01:00:00.25")
    (90.0, 90.0, 3600.25)
    """
    found = _TIME.fullmatch(str(text).strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a time; write seconds or [[HH:]MM:]SS[.mmm]")
    hours, minutes = int(found["hours"] or 0), int(found["minutes"] or 0)
    seconds = float(found["seconds"])
    if (found["hours"] and minutes >= 60) or (found["minutes"] and seconds >= 60):
        raise typer.BadParameter(f"{text!r} is not a time; 60 or more behind a colon")
    return 3600 * hours + 60 * minutes + seconds


def format_time(time_seconds: float) -> str:
    """A time as ``parse_time`` reads it, to the millisecond, and safe in a file name but for ``:``.

    >>> format_time(90), format_time(3661.5)
    ('00:01:30.000', '01:01:01.500')
    """
    milliseconds = round(time_seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds / 1000:06.3f}"
