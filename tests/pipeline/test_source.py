"""The source: its one face, or the one that was chosen, or an error that says what to do."""

import numpy as np
import pytest

from megafs_video.errors import SourceFaceError
from megafs_video.geometry.squares import Square
from megafs_video.pipeline.source import align_source
from megafs_video.values import AlignedCrop
from tests.faces.fakes import FakeDetector, FakeLandmarker
from tests.pipeline.scenes import WIDTH, face_at, scene

LEFT, MIDDLE, RIGHT = face_at(30, side=20), face_at(80, side=30), face_at(130, side=25)


def source(detector: FakeDetector, source_face: int | None = None) -> AlignedCrop:
    return align_source(
        scene(0),
        detector,
        FakeLandmarker(),
        source_face=source_face,
        crop_size=64,
        name="anna.jpg",
    )


def test_the_only_face_is_taken() -> None:
    crop = source(FakeDetector([MIDDLE]))
    square = Square.from_matrix(crop.frame_to_crop, 64)
    assert crop.pixels.shape == (64, 64, 3)
    assert (square.center_x, square.center_y) == pytest.approx((80, 60), abs=1)


@pytest.mark.parametrize(("source_face", "x"), [(0, 30), (1, 80), (2, 130)])
def test_faces_are_counted_from_the_left(source_face: int, x: float) -> None:
    crop = source(FakeDetector([MIDDLE, RIGHT, LEFT]), source_face)
    assert Square.from_matrix(crop.frame_to_crop, 64).center_x == pytest.approx(x, abs=1)


def test_several_faces_ask_for_a_choice() -> None:
    with pytest.raises(
        SourceFaceError,
        match=r"3 faces found in anna\.jpg; choose one with --source-face 0\.\.2, left to right",
    ):
        source(FakeDetector([MIDDLE, RIGHT, LEFT]))


@pytest.mark.parametrize("source_face", [3, -1])
def test_a_face_that_is_not_there_cannot_be_chosen(source_face: int) -> None:
    with pytest.raises(
        SourceFaceError, match=rf"has no face {source_face}, but 3; choose .* 0\.\.2"
    ):
        source(FakeDetector([MIDDLE, RIGHT, LEFT]), source_face)


def test_no_face_asks_for_another_picture() -> None:
    with pytest.raises(SourceFaceError, match=r"no face found in anna\.jpg; use a picture where"):
        source(FakeDetector([]))


def test_a_face_that_fills_the_picture_is_found_in_its_padding() -> None:
    # The border is half a picture on each side, so the face moves back by it.
    in_padding = face_at(80 + WIDTH / 2, 60 + 60)
    detector = FakeDetector([in_padding], min_width=2 * WIDTH)
    square = Square.from_matrix(source(detector).frame_to_crop, 64)
    assert detector.widths_seen == [WIDTH, 2 * WIDTH]
    np.testing.assert_allclose([square.center_x, square.center_y], [80, 60], atol=1)
