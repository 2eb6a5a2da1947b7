"""The main job on the real default model: half a second of the example, from file to file."""

from __future__ import annotations

import json
import runpy
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from megafs_video import Model, Progress, SwapOptions, load_model, preview_frames, swap_video
from megafs_video.cli.main import app
from megafs_video.evaluation.clips import compare_clips, find_face
from megafs_video.evaluation.identity import build_sface
from megafs_video.faces.mesh import build_mesh
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.pipeline import swap as swap_module
from megafs_video.values import FloatArray, Frame, UInt8Array
from megafs_video.video.picture import read_picture
from megafs_video.video.planes import shown_pixels
from megafs_video.video.read import read_frames
from megafs_video.video.write import VideoWriter
from megafs_video.weights.fetch import ensure
from tests.clips import packets_of, pts_of
from tests.models import EXAMPLES, SOURCE, TARGET, needs_model

pytestmark = [pytest.mark.e2e, needs_model]

END_SECONDS = 0.5
NUM_FRAMES = 12  # of 24 a second
OTHER_SEED = 2  # of make_clip.py: an adult who is like neither source nor target


@dataclass(frozen=True, eq=False)
class Run:
    """What one swap by the command line left behind."""

    folder: Path
    output: Path
    report: dict[str, Any]
    blended: list[UInt8Array]  # what was handed to the video encoder, [H, W, 3] each
    num_temporary: int  # files in the folder for temporary files


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """``megafs-video swap`` on the example, with every default."""
    folder = tmp_path_factory.mktemp("swap")
    temporary = tmp_path_factory.mktemp("temporary")
    output, report = folder / "out.mp4", folder / "out.json"
    words = ["swap", str(SOURCE), str(TARGET), str(output)]
    words += ["--end", str(END_SECONDS), "--report", str(report), "--quiet"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(temporary))
        blended = recorded(patch)
        app(words, standalone_mode=False)
    found = json.loads(report.read_text(encoding="utf-8"))
    return Run(folder, output, found, list(blended.values()), len(list(temporary.iterdir())))


@pytest.fixture(scope="module")
def model() -> Model:
    """The default model, loaded once."""
    return load_model("mobile")


def recorded(patch: pytest.MonkeyPatch) -> dict[int, UInt8Array]:
    """What the frames that the next swap hands to its writer show, by pts."""
    written: dict[int, UInt8Array] = {}

    class Recorder(VideoWriter):
        def write(self, frame: Frame) -> None:
            written[frame.pts] = shown_pixels(frame)
            super().write(frame)

    patch.setattr(swap_module, "VideoWriter", Recorder)
    return written


def target_frames() -> Iterator[Frame]:
    """The frames that were swapped, as they were."""
    return islice(read_frames(TARGET), NUM_FRAMES)


def around_the_face(frame: Frame, margin: float) -> tuple[slice, slice]:
    """Rows and columns of the detector's box, made larger on each side by a part of its own."""
    [face] = build_scrfd(ensure(["scrfd"])["scrfd"]).detect(frame.pixels)
    left, top, right, bottom = face.box_xyxy
    more_x, more_y = margin * (right - left), margin * (bottom - top)
    rows = slice(max(0, int(top - more_y)), int(bottom + more_y))
    return rows, slice(max(0, int(left - more_x)), int(right + more_x))


def test_every_frame_is_there_at_its_time(run: Run) -> None:
    assert pts_of(run.output) == pts_of(TARGET)[:NUM_FRAMES]


def test_the_sound_is_byte_identical(run: Run) -> None:
    wanted = [packet for packet in packets_of(TARGET) if packet[0] < END_SECONDS]
    assert packets_of(run.output) == wanted
    assert len(wanted) > 20


def test_the_face_comes_nearer_to_the_source(run: Run) -> None:
    paths = ensure(("scrfd", "face-mesh", "sface"))
    detector, sface = build_scrfd(paths["scrfd"]), build_sface(paths["sface"])
    with build_mesh(paths["face-mesh"]) as mesh:
        found = compare_clips(SOURCE, TARGET, run.output, detector, mesh, [sface], every_frames=3)
    assert found.num_target_unfound == found.num_swapped_unfound == 0
    [score] = found.scores
    assert score.gain > 0.1, score


def test_another_source_gives_another_face(model: Model) -> None:
    # A model that draws the average face for everybody comes nearer to every source.
    script = runpy.run_path(str(EXAMPLES / "make_clip.py"))
    studio = script["Studio"]()
    sources = [read_picture(SOURCE), studio.draw(studio.codes(OTHER_SEED), 512)]
    paths = ensure(("scrfd", "face-mesh", "sface"))
    detector, sface = build_scrfd(paths["scrfd"]), build_sface(paths["sface"])
    with build_mesh(paths["face-mesh"]) as mesh:

        def identity(pixels: UInt8Array) -> FloatArray:
            face = find_face(pixels, detector, mesh)
            assert face is not None
            return sface.embed(pixels, face)

        wanted = np.stack([identity(pixels) for pixels in sources])  # [2, 128]
        found = np.stack(
            [
                identity(preview.blended)
                for pixels in sources
                for preview in preview_frames(pixels, TARGET, [1.0], model=model)
            ]
        )  # [2, 128]
    cosines = found @ wanted.T  # swapped face, source
    own, other = np.trace(cosines) / 2, np.trace(cosines[::-1]) / 2
    assert own > other + 0.1, cosines


def test_only_the_face_changes(run: Run) -> None:
    for before, after in zip(target_frames(), run.blended, strict=True):
        changed = (shown_pixels(before) != after).any(axis=2)  # [H, W]
        rows, columns = around_the_face(before, margin=0.25)
        assert changed[rows, columns].mean() > 0.2
        changed[rows, columns] = False
        assert not changed.any()


def test_far_from_the_face_only_the_codec_shows(run: Run) -> None:
    for before, after in zip(target_frames(), read_frames(run.output), strict=True):
        difference = np.abs(before.pixels.astype(int) - after.pixels)
        difference[around_the_face(before, margin=0.25)] = 0
        assert difference.mean() < 1.5  # levels: H.264 at its visually lossless default


def test_the_report_tells_what_was_done(run: Run) -> None:
    report = run.report
    assert report["frames"] == NUM_FRAMES
    assert report["frames_without_face"] == 0
    assert report["tracks"] == 1
    assert report["model"] == "mobile"
    assert report["settings"]["end_seconds"] == END_SECONDS
    stages = {"decode", "detect", "track", "align", "encode", "transfer", "generate", "blend"}
    assert stages | {"smooth", "write"} <= report["seconds_per_stage"].keys()
    assert report["frames_per_second"] == pytest.approx(NUM_FRAMES / report["seconds"], abs=1e-3)
    assert 0 < report["network_share"] <= 1
    assert report["peak_memory_bytes"] is None or report["peak_memory_bytes"] > 100_000_000
    assert {"encoder", "transfer", "arcface-mbf"} <= report["hashes"].keys()
    assert all(len(sha256) == 64 for sha256 in report["hashes"].values())


def test_nothing_else_is_written(run: Run) -> None:
    assert {path.name for path in run.folder.iterdir()} == {"out.mp4", "out.json"}
    assert run.num_temporary == 0


def test_a_preview_is_the_frame_that_swap_writes(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = recorded(monkeypatch)
    options = SwapOptions(smooth="off", end_seconds=0.1)
    swap_video(SOURCE, TARGET, tmp_path / "out.mp4", model=model, options=options)
    [preview] = preview_frames(SOURCE, TARGET, [0.05], model=model, options=options)
    assert list(written).index(preview.target.pts) == 1
    np.testing.assert_array_equal(preview.blended, written[preview.target.pts])
    assert (preview.blended != preview.target.pixels).any()


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), RuntimeError("the caller failed")])
def test_a_stopped_swap_leaves_no_file_and_no_thread(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: BaseException
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def stop(progress: Progress) -> None:
        raise raised

    options = SwapOptions(smooth="off", batch_size=1)
    with pytest.raises(type(raised)):
        swap_video(
            SOURCE, TARGET, tmp_path / "out.mp4", model=model, options=options, progress=stop
        )
    assert list(tmp_path.iterdir()) == []
    # tests/conftest.py fails a test that leaves a thread alive.


def test_a_preview_that_is_closed_early_leaves_no_thread(model: Model) -> None:
    previews = preview_frames(SOURCE, TARGET, [0.0, 1.0, 2.0], model=model)
    next(previews)
    previews.close()  # type: ignore[attr-defined]
