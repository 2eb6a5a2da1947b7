"""``megafs-video doctor``: a last line that says whether a swap can run here."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
import typer
from typer.testing import CliRunner

from megafs_video.cli import doctor
from megafs_video.cli.doctor import Finding, Verdict
from megafs_video.errors import NotReadyError, SystemLibraryError
from megafs_video.faces import libraries
from megafs_video.faces.libraries import SYSTEM_LIBRARIES, SystemLibrary

runner = CliRunner()
app = typer.Typer()
app.command()(doctor.doctor)

GONE = SystemLibrary("libnobody-has-this.so.1", "OpenCV", "libnobody1")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEGAFS_VIDEO_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def found(*findings: Finding) -> object:
    return lambda: iter(findings)


def test_a_machine_where_all_is_fine_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", found(Finding("Python", "3.11")))
    result = runner.invoke(app)
    assert result.exit_code == 0
    assert result.output.splitlines() == ["fine    Python           3.11", "Verdict: ready."]


def test_what_is_slow_is_named_and_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", found(Finding("CPU cores", "1", Verdict.SLOW)))
    result = runner.invoke(app)
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "Verdict: ready, but slow (CPU cores)."


def test_a_missing_library_names_itself_and_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries.sys, "platform", "linux")
    monkeypatch.setattr(libraries, "SYSTEM_LIBRARIES", (GONE,))
    result = runner.invoke(app)
    assert isinstance(result.exception, SystemLibraryError)
    assert result.exception.exit_code == 41
    assert "missing: libnobody-has-this.so.1" in str(result.exception)
    assert "apt-get install libnobody1" in str(result.exception)
    assert "OpenCV needs it; Debian package libnobody1" in result.output


def test_other_systems_bring_their_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "SYSTEM_LIBRARIES", (GONE,))
    monkeypatch.setattr(libraries.sys, "platform", "darwin")
    assert libraries.missing_system_libraries() == ()


def test_every_library_says_who_needs_it() -> None:
    assert {library.needed_by for library in SYSTEM_LIBRARIES} == {"OpenCV", "MediaPipe"}


def test_a_missing_package_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("no-such-package-here",))
    assert [finding.verdict for finding in doctor._packages()] == [Verdict.MISSING]


class Usage(NamedTuple):
    free: int


def test_an_empty_cache_says_what_a_swap_will_fetch(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12))
    folder, models = doctor._cache()
    assert folder == Finding("cache folder", f"{empty_cache} (1000.0 GB free)")
    assert "not fetched yet: generator-synthesis-xml" in models.found
    assert "61.1 MB" in models.found
    assert not empty_cache.exists()


def test_a_disk_without_room_for_the_model_files_is_not_fine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**7))
    folder, _ = doctor._cache()
    assert folder.verdict is Verdict.MISSING
    assert "too little" in folder.found


def test_this_machine_can_be_examined() -> None:
    subjects = [finding.subject for finding in doctor.examine()]
    assert {"Python", "torch", "CPU cores", "memory", "cache folder", "video encoders"} <= {
        *subjects
    }


def test_a_missing_package_has_another_code_than_a_missing_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "examine", found(Finding("torch", "not here", Verdict.MISSING)))
    monkeypatch.setattr(libraries, "SYSTEM_LIBRARIES", ())
    result = runner.invoke(app)
    assert isinstance(result.exception, NotReadyError)
    assert "missing: torch" in str(result.exception)
