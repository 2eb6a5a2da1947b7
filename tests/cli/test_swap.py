"""``megafs-video swap``: what it says, what it writes, and with which code it exits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from megafs_video import errors
from megafs_video.cli import swap as swap_verb
from megafs_video.cli.main import app
from megafs_video.pipeline import swap as pipeline_swap
from megafs_video.pipeline.options import SwapOptions
from megafs_video.video import picture
from megafs_video.video.picture import write_picture
from tests.cli import fakes
from tests.cli.conftest import NUM_FRAMES
from tests.clips import cut_off, make_clip, make_sound_only
from tests.pipeline.fakes import draw, write_clip

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(monkeypatch.setattr)


def run(folder: Path, *words: str, **files: str) -> Result:
    """Run ``swap`` on the files of a folder, others by name."""
    names = {"source": "source.png", "target": "target.mp4", "output": "out.mp4"} | files
    paths = [str(folder / name) for name in names.values()]
    return CliRunner().invoke(app, ["swap", *paths, *words])


def check_refused(result: Result, error: type[errors.MegafsError], *said: str) -> None:
    """One line on stderr, the code of the error, nothing on stdout."""
    assert result.exit_code == error.exit_code, result.stderr
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("megafs-video: ")
    for words in said:
        assert words in line


def check_untouched(folder: Path, *more: str) -> None:
    """Nothing but the inputs is in the folder."""
    assert sorted(p.name for p in folder.iterdir()) == sorted(["source.png", "target.mp4", *more])


def test_a_clip_is_swapped_and_summed_up_in_a_line(folder: Path) -> None:
    result = run(folder, "--progress", "none")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout.startswith(f"{folder / 'out.mp4'}: {NUM_FRAMES} frames, ")
    check_untouched(folder, "out.mp4")


def test_quiet_says_nothing(folder: Path) -> None:
    result = run(folder, "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_progress_for_programs_is_one_json_object_a_line(folder: Path) -> None:
    result = run(folder, "--progress", "json")
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert lines[-1]["frames"] == lines[-1]["total"] == NUM_FRAMES
    assert set(lines[0]) == {"frames", "total", "fps", "eta_seconds"}


def test_the_report_is_written_whole(folder: Path) -> None:
    result = run(folder, "--quiet", "--report", str(folder / "report.json"))
    assert result.exit_code == 0, result.stderr
    report = json.loads((folder / "report.json").read_text())
    assert report["frames"] == NUM_FRAMES
    assert report["frames_without_face"] == 0
    assert report["tracks"] == 1
    assert {"decode", "encode", "generate", "write"} <= set(report["seconds_per_stage"])
    assert {"frames_per_second", "peak_memory_bytes", "model", "hashes", "settings"} <= set(report)
    check_untouched(folder, "out.mp4", "report.json")


def test_every_option_reaches_the_job(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def remember(*files: Path, **settings: Any) -> None:
        asked.update(settings)
        raise errors.DeviceError("far enough")

    monkeypatch.setattr(pipeline_swap, "swap_video", remember)
    words = (
        "--face all --source-face 2 --detector yunet --start 0:00.1 --end 0.3 --smooth strong "
        "--codec hevc --quality 20.5 --preset fast --overwrite --resume --offline --model mine "
        "--swapper lcr --device cpu --precision float32 --engine torch --batch-size 4 --threads 3 "
        "--max-gap 150ms"
    )
    run(folder, *words.split(), "--reference", str(folder / "source.png"))
    assert asked.pop("options") == SwapOptions(
        detector="yunet",
        face="all",
        reference=folder / "source.png",
        source_face=2,
        smooth="strong",
        start_seconds=0.1,
        end_seconds=0.3,
        codec="hevc",
        quality=20.5,
        preset="fast",
        batch_size=4,
        overwrite=True,
        resume=True,
        offline=True,
        max_gap_seconds=0.15,
    )
    del asked["progress"]
    assert asked == {
        "model": "mine",
        "swapper": "lcr",
        "device": "cpu",
        "precision": "float32",
        "engine": "torch",
        "threads": 3,
    }


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        ("--device mps", errors.DeviceError, "has no mps device; give --device cpu"),
        ("--device cpu --precision float16", errors.DeviceError, "slower than float32 on a CPU"),
        ("--device cpu --engine openvino", errors.DeviceError, "OpenVINO runs the paper's model"),
        ("--swapper injection", errors.WeightsError, "mobile has no weights for injection"),
    ],
)
def test_what_the_machine_or_the_model_has_not_is_refused_before_anything_is_fetched(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    error: type[errors.MegafsError],
    said: str,
) -> None:
    def fetch(*names: str, **settings: Any) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(swap_verb, "fetch_missing", fetch)
    check_refused(run(folder, *words.split()), error, said)
    check_untouched(folder)


def test_without_options_the_job_has_its_own_defaults(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def remember(*files: Path, **settings: Any) -> None:
        asked.update(settings)
        raise errors.DeviceError("far enough")

    monkeypatch.setattr(pipeline_swap, "swap_video", remember)
    run(folder)
    assert asked["options"] == SwapOptions()
    assert (asked["model"], asked["device"], asked["precision"]) == ("mobile", "auto", "auto")


def test_a_map_takes_the_place_of_the_source(folder: Path) -> None:
    """Each person of the target is given a picture of their own."""
    red, blue = (255, 130, 130), (130, 130, 255)
    for name, colour in (("red", red), ("blue", blue)):
        write_picture(folder / f"{name}.png", draw([(80, 60, colour)]))
    write_clip(folder / "two.mp4", [draw([(40, 60, red), (120, 60, blue)])] * 4)
    maps = [f"--map={folder / name}.png={folder / 'source.png'}" for name in ("red", "blue")]
    files = [str(folder / "two.mp4"), str(folder / "out.mp4")]
    words = ["--quiet", "--report", str(folder / "report.json")]
    result = CliRunner().invoke(app, ["swap", *maps, *files, *words])
    assert result.exit_code == 0, result.stderr
    report = json.loads((folder / "report.json").read_text())
    assert (report["frames"], report["tracks"], report["notes"]) == (4, 2, [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--map", "anna.jpg"], "write TARGET.jpg=SOURCE.jpg"),
        (["--map", "anna.jpg=x=y.jpg"], "no other = in the names"),
        (["--map", "=x.jpg"], "write TARGET.jpg=SOURCE.jpg"),
        (["--map", "a.jpg=x.jpg", "--map", "a.jpg=y.jpg"], "names a.jpg twice"),
        (["--map", "a.jpg=x.jpg"], "with --map, SOURCE is left out"),
        (["--map", "a.jpg=x.jpg", "--reference", "b.jpg"], "leave --reference out"),
        (["--map", "a.jpg=x.jpg", "--source-face", "1"], "leave --source-face out"),
    ],
)
def test_a_map_that_is_not_understood_is_a_usage_error(
    folder: Path, words: list[str], said: str
) -> None:
    result = run(folder, *words)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())
    check_untouched(folder)


def test_without_a_map_no_file_may_be_missing(folder: Path) -> None:
    result = CliRunner().invoke(app, ["swap", str(folder / "source.png"), "target.mp4"])
    assert result.exit_code == 2
    said = " ".join(result.stderr.replace("│", " ").split())
    assert "wanted SOURCE TARGET OUTPUT" in said


def test_pictures_of_a_map_are_refused_like_others(folder: Path) -> None:
    maps = ["--map", f"{folder / 'nowhere.png'}={folder / 'source.png'}"]
    files = [str(folder / "target.mp4"), str(folder / "out.mp4")]
    result = CliRunner().invoke(app, ["swap", *maps, *files])
    check_refused(result, errors.InputNotFoundError, "nowhere.png")
    check_untouched(folder)


# Bad input: one line that says what to do, and a code of its own.


@pytest.mark.parametrize("name", ["source", "target"])
def test_a_file_that_is_not_there(folder: Path, name: str) -> None:
    result = run(folder, **{name: "nowhere.xyz"})
    check_refused(result, errors.InputNotFoundError, "nowhere.xyz")
    check_untouched(folder)


def test_a_file_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise errors.InputNotFoundError(f"{path} may not be read; check its permissions")

    # Permissions do not bind root, who runs the tests in a container.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.R_OK)
    monkeypatch.setattr(picture, "read_picture", refuse)
    check_refused(run(folder), errors.InputNotFoundError, "may not be read")


def test_a_reference_that_is_not_there(folder: Path) -> None:
    result = run(folder, "--reference", str(folder / "nowhere.png"))
    check_refused(result, errors.InputNotFoundError, "nowhere.png")
    check_untouched(folder)


def test_a_source_that_is_not_a_picture(folder: Path) -> None:
    check_refused(run(folder, source="target.mp4"), errors.PictureError, "not a picture")
    check_untouched(folder)


def test_a_target_that_is_not_a_video(folder: Path) -> None:
    (folder / "notes.mp4").write_text("hello")
    check_refused(run(folder, target="notes.mp4"), errors.VideoError, "notes.mp4")
    check_untouched(folder, "notes.mp4")


def test_a_target_that_was_cut_off_before_its_index(folder: Path) -> None:
    cut_off(folder / "target.mp4", folder / "cut.mp4")
    check_refused(run(folder, target="cut.mp4"), errors.DamagedVideoError, "cut.mp4")
    check_untouched(folder, "cut.mp4")


def test_a_target_without_a_picture(folder: Path) -> None:
    make_sound_only(folder / "song.mp4")
    check_refused(run(folder, target="song.mp4"), errors.NoVideoStreamError, "song.mp4")
    check_untouched(folder, "song.mp4")


def test_a_source_without_a_face(folder: Path) -> None:
    write_picture(folder / "wall.png", draw([]))
    result = run(folder, "--progress", "none", source="wall.png")
    check_refused(result, errors.SourceFaceError, "no face", "wall.png")
    check_untouched(folder, "wall.png")


def test_a_source_with_several_faces_asks_which(folder: Path) -> None:
    write_picture(folder / "group.png", draw([(40, 60, 220), (120, 60, 200)]))
    result = run(folder, "--progress", "none", source="group.png")
    check_refused(result, errors.SeveralFacesError, "2 faces", "--source-face")
    assert run(folder, "--quiet", "--source-face", "1", source="group.png").exit_code == 0


def test_a_target_without_a_face(folder: Path) -> None:
    write_clip(folder / "wall.mp4", [draw([])] * 3)
    result = run(folder, "--progress", "none", target="wall.mp4")
    check_refused(result, errors.TargetFaceError, "wall.mp4")
    check_untouched(folder, "wall.mp4")


def test_an_output_that_exists(folder: Path) -> None:
    (folder / "out.mp4").write_text("precious")
    check_refused(run(folder), errors.OutputExistsError, "out.mp4", "--overwrite")
    assert (folder / "out.mp4").read_text() == "precious"
    assert run(folder, "--quiet", "--overwrite").exit_code == 0
    assert (folder / "out.mp4").stat().st_size > len("precious")


def test_an_output_that_is_the_target(folder: Path) -> None:
    before = (folder / "target.mp4").read_bytes()
    result = run(folder, "--overwrite", output="target.mp4")
    check_refused(result, errors.OutputError, "target.mp4")
    assert (folder / "target.mp4").read_bytes() == before


def test_an_output_folder_that_is_missing(folder: Path) -> None:
    check_refused(run(folder, output="far/out.mp4"), errors.OutputFolderError, "far", "mkdir")
    check_untouched(folder)


def test_an_output_folder_that_is_not_writable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Permissions do not bind root, who runs the tests in a container.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    check_refused(run(folder), errors.OutputFolderError, "not writable")
    check_untouched(folder)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--codec", "betamax"], "betamax"),
        (["--quality", "99"], "quality 99"),
        (["--preset", "warp"], "preset warp"),
    ],
)
def test_a_codec_quality_or_preset_that_is_unknown(
    folder: Path, words: list[str], said: str
) -> None:
    check_refused(run(folder, *words), errors.CodecError, said)
    check_untouched(folder)


def test_an_output_of_an_unknown_kind(folder: Path) -> None:
    check_refused(run(folder, output="out.xyz"), errors.CodecError, ".mp4")
    check_untouched(folder)


@pytest.mark.parametrize("words", [["--start", "10:00"], ["--start", "2", "--end", "1"]])
def test_a_range_outside_the_clip_or_empty(folder: Path, words: list[str]) -> None:
    check_refused(run(folder, "--progress", "none", *words), errors.TimeRangeError)
    check_untouched(folder)


def test_a_report_that_exists_or_has_no_folder(folder: Path) -> None:
    (folder / "report.json").write_text("precious")
    refusals = {
        "report.json": errors.OutputExistsError,
        "far/report.json": errors.OutputFolderError,
    }
    for name, error in refusals.items():
        check_refused(run(folder, "--report", str(folder / name)), error, name)
    assert (folder / "report.json").read_text() == "precious"
    check_untouched(folder, "report.json")


@pytest.mark.parametrize("name", ["source.png", "target.mp4", "out.mp4"])
def test_a_report_under_the_name_of_another_file(folder: Path, name: str) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    result = run(folder, "--overwrite", "--report", str(folder / name))
    assert result.exit_code == 2
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "words",
    [
        ["--face", "smallest"],
        ["--face", "-1"],
        ["--source-face", "-1"],
        ["--detector", "eyes"],
        ["--smooth", "much"],
        ["--device", "abacus"],
        ["--precision", "int3"],
        ["--batch-size", "0"],
        ["--threads", "0"],
        ["--start", "soon"],
        ["--progress", "loud"],
        ["--max-gap", "2"],
        ["--max-gap", "soon"],
        ["--no-such-option"],
        ["one-more-file"],
    ],
)
def test_words_that_are_not_understood_are_usage_errors(folder: Path, words: list[str]) -> None:
    result = run(folder, *words)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr
    check_untouched(folder)


@pytest.mark.parametrize(
    "error",
    [
        errors.WeightsError("file is damaged; run: megafs-video models fetch"),
        errors.OfflineError("file is missing and --offline forbids to fetch it"),
        errors.DeviceError("this machine has no CUDA; use --device cpu"),
        errors.SystemLibraryError("libEGL.so.1 is missing; apt-get install libegl1"),
        errors.DiskFullError("out.mp4 could not be written (No space left on device)"),
        errors.InterruptedRunError("stopped by Ctrl-C; no output was written"),
    ],
)
def test_an_error_on_the_way_is_one_line_with_its_own_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: errors.MegafsError
) -> None:
    def fail(*files: Path, **settings: Any) -> None:
        raise error

    monkeypatch.setattr(pipeline_swap, "swap_video", fail)
    check_refused(run(folder, "--progress", "none"), type(error), str(error))


def test_a_message_over_several_lines_is_still_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*files: Path, **settings: Any) -> None:
        raise errors.VideoError("first\nsecond")

    monkeypatch.setattr(pipeline_swap, "swap_video", fail)
    check_refused(run(folder, "--progress", "none"), errors.VideoError, "first second")


@pytest.mark.parametrize("by_environment", [False, True])
def test_debug_adds_the_traceback_and_keeps_the_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch, by_environment: bool
) -> None:
    if by_environment:
        monkeypatch.setenv("MEGAFS_DEBUG", "1")
    files = [str(folder / name) for name in ("none.png", "target.mp4", "out.mp4")]
    words = ["swap", *files] if by_environment else ["--debug", "swap", *files]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == errors.InputNotFoundError.exit_code
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("megafs-video: ")


def test_a_bug_keeps_its_traceback(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*files: Path, **settings: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(pipeline_swap, "swap_video", fail)
    result = run(folder, "--progress", "none")
    assert result.exit_code == 1
    assert isinstance(result.exception, ZeroDivisionError)


def test_ctrl_c_before_the_first_frame_is_one_clean_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*files: Path, **settings: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline_swap, "swap_video", stop)
    check_refused(run(folder, "--progress", "none"), errors.InterruptedRunError, "Ctrl-C")


def swap_in_a_process(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cli.fakes", "swap", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has them, and theirs, ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to a process")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_leaves_no_file(folder: Path, kind: signal.Signals) -> None:
    make_clip(folder / "long.mp4", pictures=[draw([(80, 60, 180)])] * 2000)
    words = [*("source.png", "long.mp4", "out.mp4"), "--progress", "json", "--preset", "veryslow"]
    run = swap_in_a_process(folder, *words)
    assert run.stderr is not None
    first = json.loads(run.stderr.readline())
    assert first["frames"] < 2000
    run.send_signal(kind)
    started = time.monotonic()
    _, said = run.communicate(timeout=240)
    assert run.returncode == errors.InterruptedRunError.exit_code, said
    # Far less than the rest of the clip takes, on a busy machine too.
    assert time.monotonic() - started < 20
    *progress, last = said.splitlines()
    assert last.startswith("megafs-video: stopped by Ctrl-C")
    assert all(json.loads(line) for line in progress)
    check_untouched(folder, "long.mp4")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to a process")
def test_after_ctrl_c_the_same_command_goes_on(folder: Path) -> None:
    """And two in a row end it at once: what is finished stays so."""
    make_clip(folder / "long.mp4", pictures=[draw([(80, 60, 180)])] * 1000)
    words = ("source.png", "long.mp4", "out.mp4", "--progress", "json", "--resume")
    with swap_in_a_process(folder, *words, "--preset", "veryslow") as process:
        assert process.stderr is not None
        while not (folder / "out.mp4.megafs-work" / "checkpoint.safetensors").exists():
            assert process.stderr.readline()
        process.send_signal(signal.SIGINT)
        *_, last = process.stderr.read().splitlines()
    assert process.returncode == errors.InterruptedRunError.exit_code
    assert last.startswith("megafs-video: stopped by Ctrl-C; no output was written; ")
    assert last.endswith("kept in out.mp4.megafs-work: run the same command to go on")

    with swap_in_a_process(folder, *words, "--preset", "veryslow") as process:
        assert process.stderr is not None
        assert json.loads(process.stderr.readline())["frames"] > 120
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=240)
    assert process.returncode in (-signal.SIGINT, errors.InterruptedRunError.exit_code)

    result = run(folder, *words[3:], "--preset", "slow", target="long.mp4")
    check_refused(result, errors.ResumeError, "preset was veryslow, is slow", "--no-resume")
    result = run(folder, "--no-resume", "--quiet", "--end", "1", target="long.mp4")
    assert result.exit_code == 0, result.stderr
    check_untouched(folder, "long.mp4", "out.mp4")


def test_a_clip_without_a_face_here_and_there_says_so(folder: Path) -> None:
    walk = [draw([] if index % 3 == 0 else [(80, 60, 180)]) for index in range(6)]
    write_clip(folder / "shy.mp4", walk)
    result = run(folder, "--progress", "none", target="shy.mp4")
    assert "6 frames, 2 of them without a face" in result.stdout
