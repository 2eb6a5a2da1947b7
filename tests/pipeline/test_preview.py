"""A preview shows what the swap will write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from megafs_video.errors import TimeRangeError
from megafs_video.pipeline import swap as swap_module
from megafs_video.pipeline.options import SwapOptions
from megafs_video.pipeline.preview import Preview, preview_frames
from megafs_video.pipeline.sheet import CAPTION_HEIGHT, TILE_SIZE, sheet
from megafs_video.values import Frame, UInt8Array
from megafs_video.video.picture import write_picture
from megafs_video.video.planes import shown_pixels
from tests.pipeline.fakes import FakeModel, draw, make_finders, write_clip

SOURCE = draw([(80, 60, 220)])


@pytest.fixture
def target(tmp_path: Path) -> Path:
    pictures = [draw([(50 + 3 * i, 60 - i, 150 + 5 * i)]) for i in range(15)]
    pictures[14] = draw([])
    return write_clip(tmp_path / "target.mp4", pictures)


def preview(target: Path, times_seconds: list[float], **changes: Any) -> list[Preview]:
    settings = {"model": FakeModel(), "finders": make_finders()} | changes
    return list(preview_frames(SOURCE, target, times_seconds, **settings))


def written_by_swap(
    target: Path, monkeypatch: pytest.MonkeyPatch, options: SwapOptions
) -> dict[int, UInt8Array]:
    """What the frames show that swap hands to the writer, by pts."""
    written: dict[int, UInt8Array] = {}

    class Recorder(swap_module.VideoWriter):
        def write(self, frame: Frame) -> None:
            written[frame.pts] = shown_pixels(frame)
            super().write(frame)

    monkeypatch.setattr(swap_module, "VideoWriter", Recorder)
    swap_module.swap_video(
        SOURCE,
        target,
        target.with_name("out.mp4"),
        model=FakeModel(),
        options=options,
        finders=make_finders(),
    )
    return written


def test_it_equals_the_frame_that_swap_writes_without_smoothing(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = written_by_swap(target, monkeypatch, SwapOptions(smooth="off", batch_size=4))
    found = preview(target, [0.0, 0.1, 0.25, 0.3])  # before the face fades out
    assert [round(each.seconds * 30) for each in found] == [0, 3, 7, 9]
    for each in found:
        np.testing.assert_array_equal(each.blended, written[each.target.pts])
        assert (each.blended != each.target.pixels).any()


def test_smoothing_is_off_whatever_the_options_say(target: Path) -> None:
    [smooth] = preview(target, [0.2], options=SwapOptions(smooth="strong"))
    [off] = preview(target, [0.2], options=SwapOptions(smooth="off"))
    np.testing.assert_array_equal(smooth.blended, off.blended)


def test_every_step_is_there(target: Path) -> None:
    [found] = preview(target, [0.2])
    size, resolution = FakeModel.dims.crop_size, FakeModel.dims.resolution
    assert found.source.shape == (size, size, 3)
    assert [crop.pixels.shape for crop in found.crops] == [(size, size, 3)]
    assert [swap.pixels.shape for swap in found.swaps] == [(resolution, resolution, 3)]
    assert found.target.pixels.shape == found.blended.shape == (120, 160, 3)


def test_a_frame_without_a_face_is_shown_as_it_is(target: Path) -> None:
    [found] = preview(target, [0.47])
    assert found.crops == found.swaps == ()
    np.testing.assert_array_equal(found.blended, found.target.pixels)


def test_times_come_in_the_order_given(target: Path) -> None:
    assert [each.time_seconds for each in preview(target, [0.4, 0.1])] == [0.4, 0.1]


def test_no_time_gives_no_preview(target: Path) -> None:
    assert preview(target, []) == []


def test_a_time_outside_the_clip_is_refused(target: Path) -> None:
    with pytest.raises(TimeRangeError):
        preview(target, [99.0])


@pytest.mark.parametrize(("time_seconds", "face", "num_rows"), [(0.2, "all", 2), (0.47, "all", 2)])
def test_a_sheet_has_six_tiles(target: Path, time_seconds: float, face: str, num_rows: int) -> None:
    [found] = preview(target, [time_seconds], options=SwapOptions(face=face))
    pixels = sheet(found)
    assert pixels.shape == (num_rows * (TILE_SIZE + CAPTION_HEIGHT), 3 * TILE_SIZE, 3)
    assert pixels.dtype == np.uint8


def test_a_sheet_shows_each_face_with_its_own_source(tmp_path: Path) -> None:
    red, blue = (255, 130, 130), (130, 130, 255)
    target = write_clip(tmp_path / "two.mp4", [draw([(40, 60, red), (120, 60, blue)])] * 3)
    people = {}
    for name, colour, level in (("red", red, 150), ("blue", blue, 250)):
        write_picture(tmp_path / f"{name}.png", draw([(80, 60, colour)]))
        people[str(tmp_path / f"{name}.png")] = draw([(80, 60, level)])
    settings: dict[str, Any] = {"model": FakeModel(), "finders": make_finders()}
    [found] = preview_frames(people, target, [0.0], **settings)
    assert {crop.source_index for crop in found.crops} == {0, 1}
    darker, lighter = found.sources
    assert found.source is darker
    shown = sheet(found)[: TILE_SIZE + CAPTION_HEIGHT, :TILE_SIZE]
    first = found.sources[found.crops[0].source_index]
    assert abs(int(shown[TILE_SIZE // 2, TILE_SIZE // 2, 0]) - int(first[32, 32, 0])) < 10
    assert lighter[32, 32, 0] > darker[32, 32, 0] + 50


def test_a_sheet_shows_every_face(tmp_path: Path) -> None:
    target = write_clip(tmp_path / "two.mp4", [draw([(40, 60, 170), (120, 60, 200)])] * 3)
    [found] = preview(target, [0.0], options=SwapOptions(face="all"))
    assert sheet(found).shape[0] == 4 * (TILE_SIZE + CAPTION_HEIGHT)
