"""A run that is stopped, whenever and by whatever, goes on and ends as if it had not been."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from megafs_video.errors import (
    DiskFullError,
    InputNotFoundError,
    OutputError,
    ResumeError,
    TargetFaceError,
)
from megafs_video.pipeline import work as module
from megafs_video.pipeline.options import SwapOptions
from megafs_video.pipeline.report import Progress
from megafs_video.pipeline.swap import can_be_taken_up
from megafs_video.pipeline.work import folder_of, forget, opened_work
from megafs_video.video import landing, segments
from megafs_video.video.picture import write_picture
from megafs_video.video.probe import probe
from tests.clips import packets_of, pts_of
from tests.pipeline.fakes import FakeModel, draw, write_clip
from tests.pipeline.test_swap import SOURCE, StripedModel, check_nothing_is_left, swap, walk

REPOSITORY = Path(__file__).parents[2]
NUM_FRAMES, SEGMENT_FRAMES = 26, 8
RESUME = SwapOptions(resume=True, smooth="strong")
CONTENT = {"checkpoint.safetensors", "run.json", "000000.packets", "lock"}


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_FRAMES", SEGMENT_FRAMES)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "target.mp4", walk(NUM_FRAMES))


@pytest.fixture
def whole(tmp_path: Path, target: Path) -> bytes:
    """What a run writes that nobody stops."""
    swap(target, tmp_path / "whole.mp4", options=RESUME)
    raw = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "whole.mp4").unlink()
    return raw


def stop_at(num_frames: int, error: BaseException) -> Callable[[Progress], None]:
    def stop(progress: Progress) -> None:
        if progress.frames == num_frames:
            raise error

    return stop


def stopped(target: Path, output: Path, num_frames: int = 12, **changes: Any) -> str:
    """What a run says that is stopped after the first checkpoint."""
    error = RuntimeError("stopped")
    with pytest.raises(RuntimeError, match="stopped") as caught:
        swap(target, output, options=RESUME, progress=stop_at(num_frames, error), **changes)
    return "; ".join(getattr(caught.value, "__notes__", []))


def test_killed_before_or_after_any_durable_step_it_ends_the_same(
    tmp_path: Path, target: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill leaves the disk as it is at that instant: here it is copied at every step."""
    disks: list[Path] = []
    output = tmp_path / "out" / "out.mp4"
    output.parent.mkdir()

    def copy_disk() -> None:
        disks.append(tmp_path / f"disk {len(disks)}")
        shutil.copytree(output.parent, disks[-1])

    def watched(hidden_path: Path, path: Path) -> None:
        copy_disk()
        landing.name_durably(hidden_path, path)
        copy_disk()

    with monkeypatch.context() as patch:
        for each in (module, segments):
            patch.setattr(each, "name_durably", watched)
        swap(target, output, options=RESUME)
    assert output.read_bytes() == whole
    # Who it is; three times a piece and its checkpoint; the last piece.
    assert len(disks) == 2 * (1 + 3 * 2 + 1)
    earlier_frames = []
    for disk in disks:
        report = swap(target, disk / "out.mp4", options=RESUME)
        earlier_frames.append(report.earlier_frames)
        assert (disk / "out.mp4").read_bytes() == whole
        assert [path.name for path in disk.iterdir()] == ["out.mp4"]
        assert report.frames == NUM_FRAMES
    assert earlier_frames == [0] * 5 + [8] * 4 + [16] * 4 + [24] * 3


KILLED = """
import os, signal, sys
from pathlib import Path
from megafs_video.pipeline import work
from megafs_video.video import landing
from tests.pipeline import test_work
from tests.pipeline.test_swap import swap

work.SEGMENT_FRAMES = test_work.SEGMENT_FRAMES
def killing(hidden_path, path):
    landing.name_durably(hidden_path, path)
    if path.name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
work.name_durably = killing
swap(Path("target.mp4"), Path(sys.argv[1]), options=test_work.RESUME)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_process_goes_on(tmp_path: Path, target: Path, whole: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, "out.mp4", "checkpoint.safetensors"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert {path.name for path in folder_of(tmp_path / "out.mp4").iterdir()} == CONTENT
    report = swap(target, tmp_path / "out.mp4", options=RESUME)
    assert report.earlier_frames == SEGMENT_FRAMES
    assert "8 frames were finished by an earlier run" in report.notes
    assert (tmp_path / "out.mp4").read_bytes() == whole


def test_it_may_be_stopped_again_and_again(tmp_path: Path, target: Path, whole: bytes) -> None:
    output = tmp_path / "out.mp4"
    for num_frames in (9, 16, 17, 25):
        said = stopped(target, output, num_frames)
        assert "are finished and kept in" in said
        assert "out.mp4.megafs-work: run the same command to go on" in said
        assert not output.exists()
    swap(target, output, options=RESUME)
    assert output.read_bytes() == whole


def test_stopped_before_anything_is_finished_it_leaves_nothing(
    tmp_path: Path, target: Path
) -> None:
    assert stopped(target, tmp_path / "out.mp4", 7) == ""
    check_nothing_is_left(tmp_path, "target.mp4")


def test_every_count_of_the_report_is_that_of_the_whole_clip(tmp_path: Path) -> None:
    missing = frozenset({1, 2, 9, 25})
    target = write_clip(tmp_path / "shy.mp4", walk(NUM_FRAMES, missing=missing))
    stopped(target, tmp_path / "out.mp4", 20)
    report = swap(target, tmp_path / "out.mp4", options=RESUME)
    assert (report.frames, report.frames_without_face, report.earlier_frames) == (26, 4, 16)
    assert report.tracks == 1


def test_progress_goes_on_where_it_was(tmp_path: Path, target: Path) -> None:
    stopped(target, tmp_path / "out.mp4", 20)
    seen: list[Progress] = []
    swap(target, tmp_path / "out.mp4", options=RESUME, progress=seen.append)
    assert [progress.frames for progress in seen] == list(range(17, NUM_FRAMES + 1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"options": replace(RESUME, smooth="light")}, "smooth was strong, is light"),
        ({"options": replace(RESUME, quality=30.0)}, "quality was None, is 30.0"),
        ({"options": replace(RESUME, end_seconds=0.5)}, "end_seconds was None, is 0.5"),
        ({"source": draw([(80, 60, 210)])}, "the source is another"),
        ({"model": "another"}, "model was fake, is another"),
    ],
)
def test_anything_else_is_refused_and_nothing_is_lost(
    tmp_path: Path, target: Path, whole: bytes, changes: dict[str, Any], said: str
) -> None:
    output = tmp_path / "out.mp4"
    stopped(target, output)
    if changes.get("model") == "another":
        changes["model"] = FakeModel()
        changes["model"].name = "another"
    with pytest.raises(ResumeError, match=said) as caught:
        swap(target, output, **{"options": RESUME} | changes)
    assert "out.mp4.megafs-work was begun otherwise" in str(caught.value)
    assert "or give --no-resume to begin anew" in str(caught.value)
    swap(target, output, options=RESUME)
    assert output.read_bytes() == whole


def test_many_differences_are_counted(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    before = {"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"}
    folder_of(output).mkdir()
    (folder_of(output) / "run.json").write_text(json.dumps(before))
    place = module.Place(3, 3, 0.1, 0, module.ReadLog())
    checkpoint = module.Checkpoint()
    checkpoint.carried("read", place)
    module.Work(folder_of(output), None).save(checkpoint)
    said = "a was 1, is 2; b is another; c is another; and 2 more"
    with pytest.raises(ResumeError, match=said), opened_work(output, {"a": "2"}):
        raise AssertionError("it was opened")


def test_another_clip_is_refused(tmp_path: Path, target: Path) -> None:
    stopped(target, tmp_path / "out.mp4")
    write_clip(target, walk(NUM_FRAMES + 1))
    with pytest.raises(ResumeError, match="the target is another"):
        swap(target, tmp_path / "out.mp4", options=RESUME)


def test_a_picture_file_counts_by_its_content(tmp_path: Path, target: Path) -> None:
    write_picture(tmp_path / "anna.png", SOURCE)
    stopped(target, tmp_path / "out.mp4", source=tmp_path / "anna.png")
    (tmp_path / "anna.png").rename(tmp_path / "renamed.png")
    report = swap(
        target, tmp_path / "out.mp4", options=RESUME, source=str(tmp_path / "renamed.png")
    )
    assert report.earlier_frames == SEGMENT_FRAMES


def test_begun_anew_it_forgets_what_was_there(tmp_path: Path, target: Path) -> None:
    stopped(target, tmp_path / "out.mp4")
    report = swap(target, tmp_path / "out.mp4", options=SwapOptions(resume=False))
    assert report.earlier_frames == 0
    check_nothing_is_left(tmp_path, "target.mp4", "out.mp4")
    forget(tmp_path / "out.mp4")  # nothing


def test_a_folder_in_use_is_refused(tmp_path: Path, target: Path) -> None:
    output = tmp_path / "out.mp4"
    folder_of(output).mkdir()
    with FileLock(folder_of(output) / "lock", is_singleton=False):
        for resume in (True, False):
            with pytest.raises(ResumeError, match="is in use by another run"):
                swap(target, output, options=SwapOptions(resume=resume))


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path, target: Path) -> None:
    (tmp_path / "out.mp4.megafs-work").write_text("precious")
    with pytest.raises(OutputError, match="megafs-work could not be written"):
        swap(target, tmp_path / "out.mp4", options=RESUME)
    assert (tmp_path / "out.mp4.megafs-work").read_text() == "precious"


@pytest.mark.parametrize("name", ["checkpoint.safetensors", "run.json"])
@pytest.mark.parametrize("raw", [b"", b"{}", b"[[1]]", bytes(64)])
def test_a_damaged_folder_is_refused(tmp_path: Path, target: Path, name: str, raw: bytes) -> None:
    stopped(target, tmp_path / "out.mp4")
    (folder_of(tmp_path / "out.mp4") / name).write_bytes(raw)
    with pytest.raises(ResumeError, match=r"is damaged; delete the folder|was begun otherwise"):
        swap(target, tmp_path / "out.mp4", options=RESUME)


def test_what_a_user_laid_there_stays(tmp_path: Path, target: Path) -> None:
    stopped(target, tmp_path / "out.mp4")
    (folder_of(tmp_path / "out.mp4") / "notes.txt").write_text("mine")
    swap(target, tmp_path / "out.mp4", options=RESUME)
    assert {path.name for path in folder_of(tmp_path / "out.mp4").iterdir()} == {
        *("notes.txt", "lock")
    }


def test_after_a_full_disk_it_goes_on(
    tmp_path: Path, target: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0

    def full(hidden_path: Path, path: Path) -> None:
        nonlocal count
        count += 1
        if count == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        landing.name_durably(hidden_path, path)

    with monkeypatch.context() as patch:
        patch.setattr(segments, "name_durably", full)
        with pytest.raises(DiskFullError, match=r"out\.mp4 could not be written") as caught:
            swap(target, tmp_path / "out.mp4", options=RESUME)
    assert caught.value.__notes__[0].startswith("8 frames (up to 0.267 s of the clip) are finished")
    swap(target, tmp_path / "out.mp4", options=RESUME)
    assert (tmp_path / "out.mp4").read_bytes() == whole


def test_after_the_target_vanished_it_goes_on(tmp_path: Path, target: Path, whole: bytes) -> None:
    def pull(progress: Progress) -> None:
        if progress.frames == 20:
            target.rename(tmp_path / "elsewhere.mp4")

    with pytest.raises(InputNotFoundError, match=r"target\.mp4 does not exist") as caught:
        swap(target, tmp_path / "out.mp4", options=RESUME, progress=pull)
    assert caught.value.__notes__[0].startswith("24 frames (up to 0.800 s of the clip)")
    (tmp_path / "elsewhere.mp4").rename(target)
    swap(target, tmp_path / "out.mp4", options=RESUME)
    assert (tmp_path / "out.mp4").read_bytes() == whole


def test_a_clip_without_a_face_leaves_nothing(tmp_path: Path) -> None:
    target = write_clip(tmp_path / "target.mp4", [draw([])] * NUM_FRAMES)
    with pytest.raises(TargetFaceError):
        swap(target, tmp_path / "out.mp4", options=RESUME)
    check_nothing_is_left(tmp_path, "target.mp4")


def test_batches_and_a_cut_out_range_go_on_too(tmp_path: Path, target: Path) -> None:
    options = SwapOptions(resume=True, batch_size=3, start_seconds=0.1, end_seconds=0.8, face="all")
    model = StripedModel()
    swap(target, tmp_path / "whole.mkv", options=options, model=model)
    for number in (10, 19):
        with pytest.raises(KeyboardInterrupt):
            swap(
                target,
                tmp_path / "out.mkv",
                options=options,
                model=model,
                progress=stop_at(number, KeyboardInterrupt()),
            )
    swap(target, tmp_path / "out.mkv", options=options, model=model)
    assert packets_of(tmp_path / "out.mkv", "video") == packets_of(tmp_path / "whole.mkv", "video")
    assert len(pts_of(tmp_path / "out.mkv")) == 21


def test_clips_of_over_a_minute_are_kept_by_default(tmp_path: Path, target: Path) -> None:
    long = replace(probe(target), duration_seconds=60.5)
    video, still = tmp_path / "out.mp4", tmp_path / "out.png"
    assert can_be_taken_up(long, video, SwapOptions())
    assert can_be_taken_up(replace(long, duration_seconds=None), video, SwapOptions())
    assert not can_be_taken_up(long, video, SwapOptions(resume=False))
    assert not can_be_taken_up(long, video, SwapOptions(start_seconds=1.0))
    assert not can_be_taken_up(long, video, SwapOptions(end_seconds=50.0))
    assert not can_be_taken_up(probe(target), video, SwapOptions())
    assert can_be_taken_up(probe(target), video, SwapOptions(resume=True))
    assert not can_be_taken_up(long, still, SwapOptions(resume=True))
