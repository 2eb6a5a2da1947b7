"""``megafs-video preview``: a picture for each time, named so that none replaces another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from megafs_video import errors
from megafs_video.cli.main import app
from megafs_video.cli.preview import parse_times, picture_paths
from megafs_video.pipeline import preview
from megafs_video.video.picture import read_picture, write_picture
from tests.cli import fakes
from tests.pipeline.fakes import draw, write_clip


@pytest.fixture(autouse=True)
def no_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(monkeypatch.setattr)


def run(
    folder: Path, *words: str, source: str = "source.png", target: str = "target.mp4"
) -> Result:
    return CliRunner().invoke(app, ["preview", str(folder / source), str(folder / target), *words])


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"source.png", "target.mp4"}


def test_each_time_gives_a_picture_of_the_frame(folder: Path) -> None:
    result = run(folder, "--at", "0", "--at", "0.1,0:00.2", "--output", str(folder))
    assert result.exit_code == 0, result.stderr
    wanted = {f"preview-00-00-00.{millis}.png" for millis in ("000", "100", "200")}
    assert names(folder) == wanted
    assert {Path(line).name for line in result.stdout.splitlines()} == wanted
    assert read_picture(folder / "preview-00-00-00.100.png").shape == (120, 160, 3)


def test_without_an_output_pictures_go_to_the_current_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert run(folder, "--at", "0.1").exit_code == 0
    assert names(folder) == {"preview-00-00-00.100.png"}


def test_a_picture_is_the_blended_frame(folder: Path) -> None:
    assert run(folder, "--at", "0.1", "--output", str(folder / "a.png")).exit_code == 0
    files = (folder / "source.png", folder / "target.mp4")
    (wanted,) = preview.preview_frames(*files, [0.1])
    np.testing.assert_array_equal(read_picture(folder / "a.png"), wanted.blended)


def test_a_map_takes_the_place_of_the_source(folder: Path) -> None:
    person, source = folder / "person.png", folder / "source.png"
    write_picture(person, draw([(80, 60, 180)]))
    words = ["--map", f"{person}={source}", "--at", "0", "-o", str(folder / "a.png")]
    result = CliRunner().invoke(app, ["preview", str(folder / "target.mp4"), *words])
    assert result.exit_code == 0, result.stderr
    (wanted,) = preview.preview_frames({person: source}, folder / "target.mp4", [0.0])
    assert len(wanted.crops) == 1
    np.testing.assert_array_equal(read_picture(folder / "a.png"), wanted.blended)
    # One of the files to read is not to be written over.
    again = [*words[:4], "--overwrite", "-o", str(person)]
    result = CliRunner().invoke(app, ["preview", str(folder / "target.mp4"), *again])
    assert result.exit_code == errors.OutputError.exit_code


def test_a_sheet_shows_every_step(folder: Path) -> None:
    assert run(folder, "--at", "0", "--sheet", "-o", str(folder / "sheet.jpg")).exit_code == 0
    height, width, _ = read_picture(folder / "sheet.jpg").shape
    assert height > 120
    assert width > 160


def test_a_frame_without_a_face_is_written_with_a_note(folder: Path) -> None:
    write_clip(folder / "wall.mp4", [draw([])] * 3)
    result = run(folder, "--at", "0", "-o", str(folder / "a.png"), target="wall.mp4")
    assert result.exit_code == 0
    assert "no face at 0 s" in result.stderr
    assert (folder / "a.png").is_file()


def test_quiet_says_nothing(folder: Path) -> None:
    result = run(folder, "--at", "0", "--quiet", "-o", str(folder))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.TimeRangeError, ["--at", "1:00:00"]),
        (errors.TimeRangeError, ["--at", "0", "--at", "1:00:00", "-o", "{folder}"]),
        (errors.OutputFolderError, ["--at", "0", "--output", "{folder}/far/a.png"]),
        (errors.OutputFolderError, ["--at", "0", "--output", "{folder}/stills"]),
        (errors.OutputExistsError, ["--at", "0", "--output", "{folder}/source.png"]),
        (errors.OutputError, ["--at", "0", "--output", "{folder}/source.png", "--overwrite"]),
        (errors.InputNotFoundError, ["--at", "0", "--reference", "{folder}/none.png"]),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_picture(
    folder: Path, error: type[errors.MegafsError], words: list[str]
) -> None:
    before = (folder / "source.png").read_bytes()
    result = run(folder, "--output", str(folder), *(w.format(folder=folder) for w in words))
    assert result.exit_code == error.exit_code, result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert names(folder) == set()
    assert (folder / "source.png").read_bytes() == before


@pytest.mark.parametrize(
    ("file", "error"),
    [("source", errors.InputNotFoundError), ("target", errors.InputNotFoundError)],
)
def test_a_file_that_is_not_there(folder: Path, file: str, error: type[errors.MegafsError]) -> None:
    result = run(folder, "--at", "0", "-o", str(folder), **{file: "nowhere.xyz"})
    assert result.exit_code == error.exit_code
    assert "nowhere.xyz" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--at", "soon"],
        ["--at", "0,,1"],
        ["--at", "0", "--at", "1", "--output", "one.png"],
        ["--at", "0", "--output", "a.gif"],
        ["--at", "0", "--smooth", "light"],
    ],
)
def test_words_that_are_not_understood_are_usage_errors(folder: Path, words: list[str]) -> None:
    result = run(folder, *words)
    assert result.exit_code == 2
    assert names(folder) == set()


def test_a_time_given_twice_is_one_picture() -> None:
    assert parse_times(["1", "0:01", "2,1"]) == (1.0, 2.0)


def test_the_time_stands_where_the_name_says() -> None:
    paths = picture_paths(Path("shots/{time}-draft.webp"), [0.5, 3600.0])
    assert [path.name for path in paths] == ["00-00-00.500-draft.webp", "01-00-00.000-draft.webp"]


def test_times_that_would_share_a_name_are_refused() -> None:
    with pytest.raises(typer.BadParameter, match=r"put \{time\} into the name"):
        picture_paths(Path("a.png"), [1.0, 2.0])
    with pytest.raises(typer.BadParameter, match="one picture for 2 times"):
        picture_paths(Path("{time}.png"), [1.0, 1.0001])
