"""``megafs-video evaluate video``: words become figures, files and one-line errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from megafs_video import model
from megafs_video.cli import evaluate_video
from megafs_video.cli.main import app
from megafs_video.evaluation import identity
from megafs_video.faces import mesh, scrfd, yunet
from megafs_video.values import Face
from megafs_video.weights import fetch
from tests.faces.fakes import FakeLandmarker, face_in
from tests.geometry.test_squares import TILTED
from tests.pipeline.fakes import BrightDetector, FakeModel, TintRecognizer, draw, write_clip

PEOPLE = [draw([(50 + 3 * index, 60, 180)]) for index in range(12)]


class Tint(TintRecognizer):
    """The tint of a face, as evaluation asks for it."""

    name = "tint"


@pytest.fixture
def clips(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with a copy of its target, and no network anywhere."""
    write_clip(folder / "swapped.mp4", PEOPLE)
    fetched: list[str] = []
    monkeypatch.setattr(evaluate_video, "fetch_files", lambda names, **how: fetched.extend(names))
    monkeypatch.setattr(fetch, "ensure", lambda names, **how: dict.fromkeys(names, folder))
    for module, name in ((scrfd, "build_scrfd"), (yunet, "build_yunet")):
        monkeypatch.setattr(module, name, lambda path: BrightDetector())
    monkeypatch.setattr(mesh, "build_mesh", lambda path, **how: FakeLandmarker())
    monkeypatch.setattr(identity, "build_sface", lambda path: Tint())
    monkeypatch.setattr(model, "load_model", lambda name, **how: FakeModel())
    return folder


def evaluate(folder: Path, *words: str, swapped: str = "swapped.mp4") -> Result:
    files = [str(folder / name) for name in ("source.png", "target.mp4", swapped)]
    return CliRunner().invoke(app, ["evaluate", "video", *files, "--progress", "none", *words])


def test_a_table_has_a_row_for_each_figure(clips: Path) -> None:
    result = evaluate(clips)
    assert result.exit_code == 0, result.output
    for name in ("TL identity", "TG identity", "warping error", "colour flicker", "pose error"):
        assert name in result.stdout
    assert "12 frames, 0 without a face" in result.stdout
    assert "latent acceleration" not in result.stdout


def test_the_files_that_are_asked_for_are_written(clips: Path) -> None:
    wanted = {kind: clips / f"figures.{kind}" for kind in ("json", "csv", "png")}
    words = ["--json", wanted["json"], "--csv", wanted["csv"], "--plot", wanted["png"]]
    result = evaluate(clips, *map(str, words), "--latents", "--end", "0.2")
    assert result.exit_code == 0, result.output
    found = json.loads(wanted["json"].read_text())
    assert found["frames"] == 6 and found["figures"]["latent acceleration"]["target"] >= 0
    assert len(wanted["csv"].read_text().splitlines()) == 7
    assert wanted["png"].read_bytes().startswith(b"\x89PNG")
    assert not list(clips.glob(".figures*"))


def test_a_file_that_exists_is_not_replaced_unasked(clips: Path) -> None:
    (clips / "figures.json").write_text("mine")
    result = evaluate(clips, "--json", str(clips / "figures.json"))
    assert result.exit_code == 22 and "exists already" in result.stderr
    assert (clips / "figures.json").read_text() == "mine"
    assert evaluate(clips, "--json", str(clips / "figures.json"), "--overwrite").exit_code == 0


def test_a_plot_of_a_format_nobody_can_draw_is_a_usage_error(clips: Path) -> None:
    result = evaluate(clips, "--plot", str(clips / "plot.txt"))
    assert result.exit_code == 2 and ".png, .svg, .pdf" in result.stderr


def test_a_copy_that_is_missing_is_said_first(clips: Path) -> None:
    result = evaluate(clips, swapped="nowhere.mp4")
    assert result.exit_code == 10 and "nowhere.mp4" in result.stderr


def test_codes_are_those_of_the_aligned_crop() -> None:
    fake = FakeModel()
    face: Face = face_in(TILTED)
    pixels = np.full((400, 500, 3), 255, np.uint8)
    codes = evaluate_video.codes_by(fake)(pixels, face)
    np.testing.assert_allclose(codes, np.ones((fake.dims.num_styles, fake.dims.style_size)))
    assert not isinstance(codes, torch.Tensor)


def test_its_files_are_fetched_by_name(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: dict[str, Any] = {}

    def fetch_files(names: list[str], **how: object) -> None:
        fetched.update(how, names=names)

    monkeypatch.setattr(evaluate_video, "fetch_files", fetch_files)
    assert evaluate(clips, "--detector", "yunet", "--offline").exit_code == 0
    assert fetched["names"] == ["yunet", "face-mesh", "sface"] and fetched["offline"] is True
