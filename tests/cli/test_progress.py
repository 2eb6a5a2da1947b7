"""Progress: lines that a program can read, and a bar that leaves no thread behind."""

from __future__ import annotations

import io
import json

import pytest

from megafs_video.cli.progress import JsonProgress, ProgressKind, show_progress


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_line_tells_frames_total_speed_and_time_left() -> None:
    stream, clock = io.StringIO(), Clock()
    report = JsonProgress(stream, clock)
    clock.seconds += 9.0
    report(1005, 1020)  # the first thousand are an earlier run's
    clock.seconds += 2.0
    report(1010, 1020)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first == {"frames": 1005, "total": 1020, "fps": None, "eta_seconds": None}
    assert second == {"frames": 1010, "total": 1020, "fps": 2.5, "eta_seconds": 4.0}


def test_speed_and_time_left_are_null_while_unknown() -> None:
    stream, clock = io.StringIO(), Clock()
    report = JsonProgress(stream, clock)
    report(0, None)
    clock.seconds += 1.0
    report(3, None)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first == {"frames": 0, "total": None, "fps": None, "eta_seconds": None}
    assert second == {"frames": 3, "total": None, "fps": 3.0, "eta_seconds": None}


def test_lines_come_twice_a_second_and_the_last_tells_the_true_total() -> None:
    stream, clock = io.StringIO(), Clock()
    report = JsonProgress(stream, clock)
    for frame in range(1, 101):
        clock.seconds += 0.01
        report(frame, 103)  # as the container claims
    report.finish()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["frames"] for line in lines] == [1, 51, 100]
    assert [line["total"] for line in lines] == [103, 103, 100]


def test_none_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(ProgressKind.NONE, title="Swapping") as report:
        report(1, 2)
    assert capsys.readouterr() == ("", "")


def test_json_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(ProgressKind.JSON, title="Swapping") as report:
        report(1, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert [json.loads(line)["total"] for line in err.splitlines()] == [2, 1]


def test_a_pipe_gets_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(ProgressKind.RICH, title="Swapping") as report:
        report(7, 9)
    assert capsys.readouterr() == ("", "")


def test_the_bar_goes_to_stderr_and_ends_when_its_block_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes stderr for a terminal
    with (
        pytest.raises(ZeroDivisionError),
        show_progress(ProgressKind.RICH, title="Swapping") as report,
    ):
        report(7, 9)
        raise ZeroDivisionError
    out, err = capsys.readouterr()
    assert out == ""
    assert "Swapping" in err
    assert "7/9" in err
