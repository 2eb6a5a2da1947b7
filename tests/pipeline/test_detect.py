"""Detect: one item per frame, with the faces that have a mesh."""

from megafs_video.geometry.squares import Square
from megafs_video.pipeline.detect import Detect
from tests.faces.fakes import FakeDetector, FakeLandmarker, face_in
from tests.pipeline.scenes import frame_at

SURE = face_in(Square(60.0, 60.0, 40.0, 0.0), score=0.9)
UNSURE = face_in(Square(100.0, 60.0, 40.0, 0.0), score=0.2)


def test_a_face_without_a_mesh_is_left_out() -> None:
    detect = Detect(FakeDetector([SURE, UNSURE]), FakeLandmarker(min_score=0.5))
    (item,) = detect(iter([frame_at(0)]))
    assert [face.score for face in item.faces] == [0.9]


def test_a_frame_without_faces_goes_on_untouched() -> None:
    frame = frame_at(0)
    (item,) = Detect(FakeDetector([]), FakeLandmarker())(iter([frame]))
    assert item.frame is frame and item.faces == ()


def test_frames_come_one_by_one_and_in_order() -> None:
    detect = Detect(FakeDetector([SURE]), FakeLandmarker())
    frames = [frame_at(index) for index in range(3)]
    assert [item.frame.pts for item in detect(iter(frames))] == [frame.pts for frame in frames]
    assert detect.lookahead == 0


def test_no_frames_give_no_items() -> None:
    assert list(Detect(FakeDetector([SURE]), FakeLandmarker())(iter([]))) == []
