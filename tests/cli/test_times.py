"""Times as people write them."""

from __future__ import annotations

import pytest
import typer

from megafs_video.cli.times import format_time, parse_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("12", 12.0),
        ("12.5", 12.5),
        (".25", 0.25),
        ("90", 90.0),
        ("1:02.5", 62.5),
        ("01:02:03.004", 3723.004),
        ("100:00:00", 360000.0),
        (" 3 ", 3.0),
    ],
)
def test_seconds_minutes_and_hours_are_understood(text: str, seconds: float) -> None:
    assert parse_time(text) == pytest.approx(seconds, abs=1e-9)  # rounding of a double


@pytest.mark.parametrize(
    "text", ["", "-1", "1m", "1:2:3:4", "1:60", "1:60:00", "abc", ":", "1:", "nan", "1e3"]
)
def test_anything_else_is_a_usage_error(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a time"):
        parse_time(text)


@pytest.mark.parametrize("seconds", [0.0, 1.5, 59.999, 60.0, 3599.9996, 86400.125])
def test_a_written_time_is_read_back_to_the_millisecond(seconds: float) -> None:
    # Half a millisecond: the text is rounded to whole ones.
    assert parse_time(format_time(seconds)) == pytest.approx(seconds, abs=0.0005001)
