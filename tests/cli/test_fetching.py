"""Before a job: what is missing is named, fetched, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from megafs_video.cli.fetching import fetch_missing, needed
from megafs_video.cli.progress import ProgressKind
from megafs_video.errors import InputNotFoundError, OfflineError
from megafs_video.weights import cache, fetch
from megafs_video.weights.table import required_for


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An empty cache, and the names that a fake fetch was asked for."""
    names: list[str] = []

    def fake_fetch(
        wanted: Iterable[str], *, offline: bool, announce: Callable[[str], None], **more: object
    ) -> None:
        names.extend(wanted)
        announce("fetching a file; licence: MIT")

    monkeypatch.setenv("MEGAFS_VIDEO_HOME", str(tmp_path))
    monkeypatch.setattr(fetch, "fetch", fake_fetch)
    return names


def test_a_swap_needs_what_the_table_says() -> None:
    assert needed("mobile", "yunet") == required_for("mobile", "yunet")


def test_a_model_in_a_folder_runs_on_the_default_generator() -> None:
    assert needed("runs/mine", "scrfd") == required_for("mobile", "scrfd")


@pytest.mark.parametrize("file_name", ["injection_final.pth", "generator.safetensors"])
def test_a_folder_with_a_generator_of_its_own_needs_only_the_finders(
    tmp_path: Path, file_name: str
) -> None:
    (tmp_path / file_name).touch()
    assert needed(str(tmp_path), "yunet") == ("yunet", "face-mesh", "arcface-mbf")


def test_a_model_that_is_nowhere_is_refused_before_anything_is_fetched(asked: list[str]) -> None:
    with pytest.raises(InputNotFoundError, match="no model at nope; give mobile, or a folder"):
        fetch_missing("nope", "scrfd", offline=False, progress=ProgressKind.NONE)
    assert asked == []


@pytest.mark.parametrize("kind", list(ProgressKind))
def test_what_is_fetched_is_said_on_stderr_whatever_the_progress(
    asked: list[str], capsys: pytest.CaptureFixture[str], kind: ProgressKind
) -> None:
    fetch_missing("mobile", "scrfd", offline=False, progress=kind)
    assert asked == list(required_for())
    out, err = capsys.readouterr()
    assert out == ""
    assert "licence: MIT" in err
    if kind is ProgressKind.JSON:
        assert json.loads(err) == {"message": "fetching a file; licence: MIT"}


def test_nothing_missing_is_nothing_fetched(
    asked: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "is_cached", lambda name: True)
    fetch_missing("mobile", "scrfd", offline=True, progress=ProgressKind.RICH)
    assert asked == []
    assert capsys.readouterr() == ("", "")


def test_offline_refuses_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEGAFS_VIDEO_HOME", str(tmp_path))
    with pytest.raises(OfflineError, match="models fetch"):
        fetch_missing("mobile", "scrfd", offline=True, progress=ProgressKind.NONE)
    assert list(tmp_path.iterdir()) == []
