"""``megafs-video train``: words become one call, and errors one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from megafs_video.cli.main import app
from megafs_video.errors import ConfigError, MegafsError
from megafs_video.training import run
from megafs_video.training.config import EncoderConfig, TransferConfig
from megafs_video.training.loop import Progress


class Calls:
    """Stands where the trainings are, and remembers how it was called."""

    def __init__(self) -> None:
        self.files: tuple[Any, ...] = ()
        self.options: dict[str, Any] = {}
        self.failure: MegafsError | None = None

    def __call__(self, *files: Any, say: Any, report: Any, **options: Any) -> Path:
        if self.failure is not None:
            raise self.failure
        self.files, self.options = files, options
        say("reading 3 faces from a[b]c")
        report(
            Progress(
                step=10,
                num_steps=130,
                losses={"norm": 0.25, "code": 1},
                seconds_per_step=2,
                minutes_left=4,
            )
        )
        return Path("runs/made.safetensors")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    found = Calls()
    monkeypatch.setattr(run, "train_encoder", found)
    monkeypatch.setattr(run, "train_transfer", found)
    return found


def train(*words: str) -> Result:
    return CliRunner().invoke(app, ["train", *words])


def test_an_encoder_is_trained_on_every_folder_that_is_named(calls: Calls) -> None:
    result = train("encoder", "--faces", "one", "--faces", "two", "--output", "runs")
    assert result.exit_code == 0, result.stderr
    assert calls.files == ([Path("one"), Path("two")], Path("runs"), EncoderConfig())
    assert calls.options == {"start": None, "device": "auto", "offline": False}


def test_a_run_tells_that_it_is_alive_on_stderr(calls: Calls) -> None:
    result = train("encoder", "--faces", "one", "--output", "runs")
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "reading 3 faces from a[b]c",
        # 8 rendered faces and 6 photographs in 2 seconds.
        "step 10/130  code 1.0000  norm 0.2500  7.0 faces a second, 4 min left",
        "wrote runs/made.safetensors",
    ]


def test_a_transfer_is_trained_on_an_encoder_and_a_file_of_settings(
    calls: Calls, tmp_path: Path
) -> None:
    settings = tmp_path / "run.toml"
    settings.write_text("seed = 3")
    words = ("--faces", "one", "--output", "runs", "--encoder", "e.safetensors", "--offline")
    words += ("--transfer", "t.safetensors")
    result = train("transfer", *words, "--config", str(settings))
    assert result.exit_code == 0, result.stderr
    assert calls.files == (
        [Path("one")],
        Path("runs"),
        Path("e.safetensors"),
        TransferConfig(seed=3),
    )
    transfer = Path("t.safetensors")
    assert calls.options == {"device": "auto", "offline": True, "transfer_checkpoint": transfer}


@pytest.mark.parametrize("verb", ["encoder", "transfer"])
def test_a_run_may_be_ended_by_the_clock(calls: Calls, verb: str) -> None:
    words = ("--faces", "one", "--output", "runs", "--minutes", "2.5", "--device", "cpu")
    more = ("--encoder", "e.safetensors") if verb == "transfer" else ()
    assert train(verb, *words, *more).exit_code == 0
    settings = calls.files[-1]
    assert settings.num_minutes == 2.5
    assert settings.num_steps > 100_000
    assert calls.options["device"] == "cpu"


def test_a_wrong_setting_is_one_line_before_anything_is_read(calls: Calls, tmp_path: Path) -> None:
    settings = tmp_path / "run.toml"
    settings.write_text("sed = 3")
    result = train("encoder", "--faces", "one", "--output", "runs", "--config", str(settings))
    assert result.exit_code == ConfigError.exit_code
    (line,) = result.stderr.splitlines()
    assert line.startswith("megafs-video: ")
    assert "sets sed, which is not one of" in line
    assert calls.files == ()


def test_an_error_of_the_run_is_one_line_with_its_own_code(calls: Calls) -> None:
    calls.failure = ConfigError("runs holds a run with other settings; give another --output")
    result = train("encoder", "--faces", "one", "--output", "runs")
    assert result.exit_code == 50
    assert result.stderr == f"megafs-video: {calls.failure}\n"


@pytest.mark.parametrize("verb", ["encoder", "transfer"])
def test_faces_and_an_output_must_be_named(verb: str) -> None:
    assert train(verb).exit_code == 2
