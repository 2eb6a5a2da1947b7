"""``megafs-video evaluate pairs``: words become one call, and figures tables and files."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from megafs_video import model, parts
from megafs_video.cli import evaluate_pairs as verb
from megafs_video.cli.main import app
from megafs_video.errors import InputNotFoundError, OutputExistsError
from megafs_video.evaluation import portrait
from megafs_video.weights import fetch
from tests.evaluation.portraits import examine_colour
from tests.pipeline.fakes import FakeModel
from tests.tiny import tiny_lpips
from tests.training.small import write_faces


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Fakes in the place of every network, and the words that the model was loaded with."""
    loaded: dict[str, Any] = {}

    @contextmanager
    def open_examiner(*, offline: bool) -> Iterator[object]:
        yield examine_colour

    def load_model(name: str, **settings: object) -> FakeModel:
        loaded.update(settings, model=name)
        return FakeModel()

    monkeypatch.setattr(portrait, "open_examiner", open_examiner)
    monkeypatch.setattr(model, "load_model", load_model)
    monkeypatch.setattr(parts, "build_lpips", lambda path: tiny_lpips())
    monkeypatch.setattr(fetch, "ensure", lambda names, **settings: dict.fromkeys(names, Path()))
    monkeypatch.setattr(verb, "fetch_files", lambda names, **settings: None)
    return loaded


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Thirteen pictures of noise; three of them are kept from training."""
    return write_faces(tmp_path / "photos", 13)


def pairs(photos: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["evaluate", "pairs", "--photos", str(photos), *words])


def test_the_tables_are_printed_and_progress_is_not_among_them(photos: Path) -> None:
    result = pairs(photos, "--pairs", "2", "--progress", "json")
    assert result.exit_code == 0, result.stderr
    for said in (
        "untouched target",
        "reconstruction",
        "LCR",
        "FTM",
        "top-1 of 3",
        "two strangers",
        "KID",
    ):
        assert said in result.stdout
    assert "2 pairs (seed 0) of 3 photographs; 0 photographs without a face" in result.stdout
    last = json.loads(result.stderr.splitlines()[-1])
    assert last["frames"] == last["total"] == 5


def test_only_photographs_that_training_left_out_are_used(photos: Path, tmp_path: Path) -> None:
    pairs(photos, "--pairs", "2", "--output", str(tmp_path / "out"))
    with (tmp_path / "out" / "pairs.csv").open() as file:
        used = {row["source"] for row in csv.DictReader(file)}
    assert used <= {"00000.png", "00006.png", "00012.png"}


def test_every_photograph_is_used_on_demand(photos: Path) -> None:
    result = pairs(photos, "--pairs", "12", "--every-photo", "--progress", "none")
    assert result.exit_code == 0, result.stderr
    assert "12 pairs (seed 0) of 13 photographs" in result.stdout


def test_files_are_written_whole_and_never_over_others(photos: Path, tmp_path: Path) -> None:
    words = ("--pairs", "2", "--seed", "7", "--output", str(tmp_path / "new" / "out"))
    assert pairs(photos, *words).exit_code == 0
    folder = tmp_path / "new" / "out"
    assert {path.name for path in folder.iterdir()} == set(verb.OUTPUT_NAMES)
    report = json.loads((folder / "report.json").read_text())
    assert (report["seed"], report["num_pairs"]) == (7, 2)
    assert len((folder / "table.csv").read_text().splitlines()) == 1 + 4
    assert len((folder / "pairs.csv").read_text().splitlines()) == 1 + 2 * 4
    again = pairs(photos, *words)
    assert again.exit_code == OutputExistsError.exit_code
    assert "report.json exists already" in again.stderr
    assert pairs(photos, *words, "--overwrite").exit_code == 0


def test_the_model_is_loaded_as_the_words_say(photos: Path, fakes: dict[str, Any]) -> None:
    words = ("--pairs", "1", "--model", "runs/mine", "--device", "cpu", "--threads", "1")
    assert pairs(photos, *words, "--precision", "float32", "--offline").exit_code == 0
    assert fakes == {
        "model": "runs/mine",
        "device": "cpu",
        "precision": "float32",
        "threads": 1,
        "engine": "torch",
        "offline": True,
    }


def test_too_few_photographs_are_a_usage_error(photos: Path) -> None:
    result = pairs(photos, "--pairs", "3")
    assert result.exit_code == 2
    assert "--pairs 3 needs 4 photographs" in result.stderr


def test_a_folder_without_photographs_is_one_line(tmp_path: Path) -> None:
    result = pairs(tmp_path)
    assert result.exit_code == InputNotFoundError.exit_code
    [line] = result.stderr.splitlines()
    assert "holds no pictures for validation" in line
