"""A comparison counts what a swap changed, on clips whose every frame is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from megafs_video.errors import SourceFaceError
from megafs_video.evaluation.clips import (
    ClipComparison,
    compare_clips,
    find_face,
    photo_identities,
)
from megafs_video.values import Face, FloatArray, UInt8Array
from megafs_video.video.picture import write_picture
from tests.clips import make_clip
from tests.faces.fakes import FakeLandmarker
from tests.pipeline.fakes import BrightDetector, Level, TintRecognizer, draw, write_clip

WARM, COOL = (240, 190, 140), (140, 190, 240)


class Tint(TintRecognizer):
    """The tint of a face, as evaluation asks for it."""

    name = "tint"


def person(level: Level, num_frames: int = 8) -> list[UInt8Array]:
    """A face of one colour that moves a little."""
    return [draw([(60 + 3 * index, 60, level)]) for index in range(num_frames)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.png"
    write_picture(path, draw([(80, 60, WARM)]))
    return path


def compare(
    source: Path,
    target: Sequence[UInt8Array],
    swapped: Sequence[UInt8Array],
    *,
    pts: Sequence[int] | None = None,
    every_frames: int = 2,
) -> ClipComparison:
    folder = source.parent
    return compare_clips(
        source,
        write_clip(folder / "target.mp4", target),
        write_clip(folder / "swapped.mp4", swapped, pts),
        BrightDetector(),
        FakeLandmarker(),
        [Tint()],
        every_frames=every_frames,
    )


def test_a_swap_comes_nearer_to_the_source(source: Path) -> None:
    found = compare(source, person(COOL), person(WARM))
    [score] = found.scores
    assert score.recogniser == "tint"
    assert score.swapped_to_source == pytest.approx(1, abs=0.01)
    assert score.target_to_itself == pytest.approx(1, abs=0.01)
    # Warm and cool lean opposite ways from grey.
    assert score.swapped_to_target == pytest.approx(score.target_to_source, abs=0.05)
    assert score.gain == pytest.approx(1 - score.target_to_source, abs=0.01)
    assert score.gain > 0.5


def test_an_untouched_clip_gains_nothing_and_keeps_everything(source: Path) -> None:
    found = compare(source, person(COOL), person(COOL))
    assert found.scores[0].gain == pytest.approx(0, abs=1e-9)
    assert found.scores[0].swapped_to_target == pytest.approx(1)
    assert found.keeps_frames and found.keeps_sound
    assert (found.num_target_frames, found.num_sampled_frames) == (8, 4)
    assert found.target_seconds == found.swapped_seconds == pytest.approx(8 / 30)


def test_what_anybody_would_gain_is_told_apart(source: Path, tmp_path: Path) -> None:
    target = write_clip(tmp_path / "target.mp4", person(COOL))
    swapped = write_clip(tmp_path / "swapped.mp4", person((200, 200, 200)))
    rosy = tmp_path / "rosy.png"
    write_picture(rosy, draw([(80, 60, (240, 150, 170))]))
    finders = BrightDetector(), FakeLandmarker()
    others = photo_identities([rosy], *finders, [Tint()])
    found = compare_clips(
        source, target, swapped, *finders, [Tint()], every_frames=2, others=others
    )
    [score] = found.scores
    assert score.gain_to_others is not None
    # Grey is nearer to warm than cool is, but it is nearer to rosy as well.
    assert score.gain > 0.3
    assert score.gain_to_others > 0.1


def test_without_others_nothing_is_said_of_them(source: Path) -> None:
    [score] = compare(source, person(COOL), person(WARM)).scores
    assert score.gain_to_others is None


def test_photographs_without_a_face_are_left_out(source: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    write_picture(empty, draw([]))
    found = photo_identities([empty, source], BrightDetector(), FakeLandmarker(), [Tint()])
    assert found["tint"].shape == (1, 4)


@pytest.mark.parametrize("num_swapped", [6, 9])
def test_lost_and_added_frames_are_counted(source: Path, num_swapped: int) -> None:
    found = compare(source, person(COOL), person(WARM, num_swapped))
    assert (found.num_target_frames, found.num_swapped_frames) == (8, num_swapped)
    assert not found.keeps_frames


def test_a_frame_shown_at_another_time_is_counted(source: Path) -> None:
    found = compare(source, person(COOL), person(WARM), pts=[0, 1, 2, 3, 4, 6, 7, 9])
    assert found.num_moved_frames == 3
    assert not found.keeps_frames


def test_frames_without_a_face_are_counted_and_left_out(source: Path) -> None:
    target, swapped = person(COOL), person(WARM)
    target[0], swapped[2], swapped[1] = draw([]), draw([]), draw([])
    found = compare(source, target, swapped)
    assert (found.num_target_unfound, found.num_swapped_unfound) == (1, 1)
    assert found.scores[0].swapped_to_source == pytest.approx(1, abs=0.01)


def test_without_two_faces_there_is_no_score(source: Path) -> None:
    found = compare(source, person(COOL), [draw([])] * 8)
    assert found.scores == ()
    assert found.num_swapped_unfound == 4


def test_changed_sound_is_seen(source: Path, tmp_path: Path) -> None:
    with_sound = make_clip(tmp_path / "sound.mp4", 6, has_sound=True)
    without = make_clip(tmp_path / "silent.mp4", 6)
    finders = BrightDetector(), FakeLandmarker()
    same = compare_clips(source, with_sound, with_sound, *finders, [])
    lost = compare_clips(source, with_sound, without, *finders, [])
    with av.open(str(with_sound)) as container:
        num_packets = sum(packet.size > 0 for packet in container.demux(audio=0))
    assert same.keeps_sound and same.num_sound_packets == num_packets
    assert lost.num_changed_packets == num_packets and not lost.keeps_sound


def test_the_face_at_the_same_place_is_taken() -> None:
    pixels = draw([(40, 60, WARM), (120, 60, COOL)])
    there = Face(np.array([100.0, 40, 139, 79]), np.zeros((5, 2)), 1.0)
    face = find_face(pixels, BrightDetector(), FakeLandmarker(), near=there)
    assert face is not None
    assert face.box_xyxy[0] > 90


def test_the_largest_face_is_taken() -> None:
    pixels = draw([(40, 60, WARM), (120, 60, COOL)])
    pixels[:, 115:] = 30  # half of the second one
    face = find_face(pixels, BrightDetector(), FakeLandmarker())
    assert face is not None
    assert face.box_xyxy[2] < 90


def test_a_face_without_a_mesh_is_passed_over() -> None:
    class Blind(FakeLandmarker):
        def refine(self, pixels: UInt8Array, face: Face) -> Face | None:
            return None

    assert find_face(draw([(40, 60, WARM)]), BrightDetector(), Blind()) is None


def test_a_source_without_a_face_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.png"
    write_picture(path, draw([]))
    with pytest.raises(SourceFaceError, match=r"no face found in .*empty\.png"):
        compare(path, person(COOL), person(WARM))


def test_a_step_of_nothing_is_refused(source: Path) -> None:
    with pytest.raises(ValueError, match="every_frames is 0, wanted at least 1"):
        compare(source, person(COOL), person(WARM), every_frames=0)


def test_progress_counts_every_frame(source: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", person(COOL, 5))
    counts: list[int] = []
    finders = BrightDetector(), FakeLandmarker()
    compare_clips(source, clip, clip, *finders, [], progress=counts.append)
    assert counts == [1, 2, 3, 4, 5]


def test_identities_are_asked_for_sampled_frames_only(source: Path, tmp_path: Path) -> None:
    class Counting(Tint):
        num_calls = 0

        def embed(self, pixels: UInt8Array, face: Face) -> FloatArray:
            self.num_calls += 1
            return super().embed(pixels, face)

    clip = write_clip(tmp_path / "clip.mp4", person(COOL, 7))
    network = Counting()
    compare_clips(source, clip, clip, BrightDetector(), FakeLandmarker(), [network], every_frames=3)
    assert network.num_calls == 1 + 2 * 3
