"""A copy beside its clip: figures of clips whose every frame is known, and what they look like."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from megafs_video.errors import SourceFaceError, TargetFaceError, VideoError
from megafs_video.evaluation.timelines import draw_plot, to_csv, to_json
from megafs_video.evaluation.video import Figure, VideoMeasurement, measure_video
from megafs_video.faces.mesh import Look
from megafs_video.values import Face, UInt8Array
from megafs_video.video.picture import read_picture, write_picture
from tests.faces.fakes import FakeLandmarker
from tests.pipeline.fakes import BrightDetector, Level, TintRecognizer, draw, write_clip

WARM, COOL = (240, 190, 140), (140, 190, 240)


class Tint(TintRecognizer):
    """The tint of a face, as evaluation asks for it."""

    name = "tint"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.png"
    write_picture(path, draw([(80, 60, WARM)]))
    return path


def walk(levels: Sequence[Level], shakes: Sequence[float] | None = None) -> list[UInt8Array]:
    """A face that walks evenly to the right, in one colour a frame."""
    offsets = [0.0] * len(levels) if shakes is None else shakes
    return [
        draw([(50 + 2 * index + offset, 60, level)])
        for index, (level, offset) in enumerate(zip(levels, offsets, strict=True))
    ]


def measure(
    source: Path,
    target: Sequence[UInt8Array],
    swapped: Sequence[UInt8Array],
    landmarker: FakeLandmarker | None = None,
    **options: Any,
) -> VideoMeasurement:
    return measure_video(
        source,
        write_clip(source.parent / "target.mp4", target),
        write_clip(source.parent / "swapped.mp4", swapped),
        BrightDetector(),
        landmarker or FakeLandmarker(),
        Tint(),
        **options,
    )


def figures(found: VideoMeasurement) -> dict[str, Figure]:
    return {figure.name: figure for figure in found.figures}


def test_the_clip_itself_has_the_inputs_own_values(source: Path) -> None:
    frames = walk([COOL] * 8)
    found = figures(measure(source, frames, frames))
    assert found["expression error"].swapped == found["pose error"].swapped == 0
    for figure in found.values():
        assert figure.swapped == figure.target, figure.name


def test_a_copy_that_flickers_in_colour_shows_it(source: Path) -> None:
    found = figures(measure(source, walk([COOL] * 10), walk([COOL, (150, 200, 250)] * 5)))
    assert found["colour flicker"].target < 1
    # Ten levels up and down are ten from the line through the neighbours: sqrt(1.5) deviations.
    assert found["colour flicker"].swapped == pytest.approx(10 / np.sqrt(1.5), rel=0.2)
    assert found["warping error"].swapped > 10 * found["warping error"].target


def test_a_copy_that_trembles_shows_it(source: Path) -> None:
    found = figures(measure(source, walk([COOL] * 10), walk([COOL] * 10, [0, 2] * 5)))
    landmark = found["landmark acceleration"]
    assert landmark.target < 1 and landmark.swapped > 20
    assert landmark.ratio == landmark.swapped / landmark.target


def test_a_head_that_is_held_otherwise_is_a_pose_error(source: Path) -> None:
    class Tilting(FakeLandmarker):
        """Sees a head tilted by 7 degrees where the tint is warm."""

        def look(self, pixels: UInt8Array, face: Face) -> Look | None:
            look = super().look(pixels, face)
            x, y = ((face.box_xyxy[:2] + face.box_xyxy[2:]) / 2).astype(int)
            if look is None or pixels[y, x, 0] < pixels[y, x, 2]:
                return look
            tilt = Rotation.from_euler("Z", 7, degrees=True).as_matrix()
            return replace(look, head_to_camera=tilt @ look.head_to_camera)

    error = figures(measure(source, walk([COOL] * 6), walk([WARM] * 6), landmarker=Tilting()))[
        "pose error"
    ]
    assert error.target == 0 and error.swapped == pytest.approx(7)


def test_a_swap_comes_nearer_to_the_source_and_keeps_to_itself(source: Path) -> None:
    found = figures(measure(source, walk([COOL] * 8), walk([WARM] * 8)))
    to_source = found["identity to source"]
    assert to_source.swapped == pytest.approx(1, abs=0.01) and to_source.target < 0.5
    for name in ("TL identity", "TG identity"):
        assert found[name].ratio == pytest.approx(1, abs=0.02)


def test_every_series_has_a_value_per_frame_and_none_where_nothing_follows(source: Path) -> None:
    target = [*walk([COOL] * 6), draw([]), *walk([COOL] * 6)]
    found = measure(source, target, target)
    assert found.num_target_unfound == 1 and found.num_swapped_unfound == 0
    series = figures(found)["colour flicker"].swapped_series
    assert series is not None and len(series) == len(found.seconds) == 13
    # The first of a shot, the gap, and the neighbours of both.
    assert np.flatnonzero(np.isnan(series)).tolist() == [0, 1, 5, 6, 7, 8, 12]


def test_a_cut_is_not_taken_for_movement(source: Path) -> None:
    left, right = draw([(40, 60, COOL)]), draw([(120, 60, WARM)])
    found = figures(measure(source, [left] * 5 + [right] * 5, [left] * 5 + [right] * 5))
    for name in ("landmark acceleration", "colour flicker", "warping error"):
        assert found[name].target < 0.5, name
    assert found["TL identity"].target == pytest.approx(1, abs=0.01)


def test_codes_are_measured_where_an_encoder_is_given(source: Path) -> None:
    frames = walk([COOL] * 6)
    found = measure(source, frames, frames, encode=lambda pixels, face: np.zeros((3, 4)))
    assert figures(found)["latent acceleration"].target == 0
    assert "latent acceleration" not in figures(measure(source, frames, frames))


def test_a_part_of_the_clips_is_measured_and_progress_told(source: Path) -> None:
    frames, told = walk([COOL] * 12), list[int]()
    found = measure(source, frames, frames, start_seconds=0.1, progress=told.append)
    assert len(found.seconds) == 9 and found.seconds[0] == pytest.approx(0.1)
    assert told == list(range(1, 10))


def test_what_cannot_be_measured_is_refused(source: Path) -> None:
    frames, empty = walk([COOL] * 4), [draw([])] * 4
    with pytest.raises(TargetFaceError, match="no three frames in a row show a face both in"):
        measure(source, frames, empty)
    with pytest.raises(VideoError, match=r"is 160x120 and .* 80x60 pixels; compare a clip with"):
        measure(source, frames, [pixels[::2, ::2] for pixels in frames])
    write_picture(source, draw([]), overwrite=True)
    with pytest.raises(SourceFaceError, match="no face found in"):
        measure(source, frames, frames)


def made() -> VideoMeasurement:
    """A measurement of three frames."""
    series = np.array([np.nan, 1.0, 3.0])
    return VideoMeasurement(
        np.array([0.0, 0.04, 0.1]),
        1,
        0,
        (
            Figure("colour flicker", "level of 255", 2.0, 4.0, series, 2 * series),
            Figure("TG identity", "cosine", 0.0, float("nan")),
        ),
    )


def test_json_holds_every_figure_and_no_nan() -> None:
    found = json.loads(to_json(made()))
    assert found["frames"] == 3 and found["target_frames_without_face"] == 1
    assert found["figures"]["colour flicker"] == {
        "unit": "level of 255",
        "target": 2.0,
        "swapped": 4.0,
        "ratio": 2.0,
    }
    assert found["figures"]["TG identity"]["swapped"] is None
    assert found["figures"]["TG identity"]["ratio"] is None


def test_csv_has_a_line_per_frame_and_blanks_where_nothing_was_measured() -> None:
    header, *lines = csv.reader(to_csv(made()).splitlines())
    assert header == ["seconds", "colour flicker, target", "colour flicker, swapped"]
    assert lines == [["0", "", ""], ["0.04", "1", "2"], ["0.1", "3", "6"]]


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    draw_plot(made(), tmp_path / "plot.png")
    assert len(np.unique(read_picture(tmp_path / "plot.png").reshape(-1, 3), axis=0)) > 2
