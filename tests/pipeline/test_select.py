"""Select: the chosen face stays chosen, and nobody else is."""

import numpy as np
import pytest

from megafs_video.pipeline.select import FaceChoice, Select
from megafs_video.values import Frame, FrameFaces, TrackedFace
from tests.faces.fakes import FakeRecognizer
from tests.pipeline.scenes import FRAME_PTS, TIME_BASE, face_at, ids, tracked

SMALL, LARGE, HUGE = (face_at(x, side=side) for x, side in ((30, 30), (80, 50), (130, 70)))
RED, GREEN = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])


def select(
    choice: str, *items: FrameFaces[TrackedFace], max_gap_frames: int = 2
) -> list[list[int]]:
    stage = Select(FaceChoice.parse(choice), max_gap_frames=max_gap_frames)
    return ids(list(stage(iter(items))))


def test_all_keeps_every_face() -> None:
    assert select("all", tracked(0, (0, SMALL), (1, LARGE))) == [[0, 1]]


def test_the_largest_stays_chosen_when_a_larger_one_comes() -> None:
    assert select(
        "largest",
        tracked(0, (0, SMALL), (1, LARGE)),
        tracked(1, (0, SMALL), (1, LARGE), (2, HUGE)),
        tracked(2, (2, HUGE), (1, SMALL)),
    ) == [[1], [1], [1]]


def test_nobody_stands_in_for_the_largest_during_a_gap() -> None:
    assert select(
        "largest",
        tracked(0, (0, SMALL), (1, LARGE)),
        tracked(1, (0, SMALL)),
        tracked(2, (0, SMALL), (1, LARGE)),
    ) == [[1], [], [1]]


def test_the_largest_is_replaced_when_it_is_gone() -> None:
    gone = [tracked(index, (0, SMALL)) for index in range(1, 5)]
    found = select("largest", tracked(0, (0, SMALL), (1, LARGE)), *gone)
    assert found == [[1], [], [], [0], [0]]


def test_a_new_shot_chooses_anew_at_once() -> None:
    assert select("largest", tracked(0, (0, LARGE)), tracked(1, (1, SMALL), (2, HUGE))) == [
        [0],
        [2],
    ]


def test_a_number_counts_from_the_left() -> None:
    items = tracked(0, (0, HUGE), (1, SMALL), (2, LARGE)), tracked(1, (2, SMALL), (0, LARGE))
    assert select("1", *items) == [[2], [2]]
    assert select("2", *items) == [[0], [0]]
    assert select("3", *items) == [[], []]


def test_a_face_that_comes_later_takes_the_next_number() -> None:
    items = tracked(0, (0, LARGE)), tracked(1, (0, LARGE), (1, SMALL))
    assert select("0", *items) == [[0], [0]]
    assert select("1", *items) == [[], [1]]


def test_a_number_is_free_again_when_its_owner_is_gone() -> None:
    away = [tracked(index, (0, SMALL)) for index in range(1, 4)]
    back = tracked(4, (0, SMALL), (2, LARGE))
    found = select("1", tracked(0, (0, SMALL), (1, LARGE)), *away, back)
    assert found == [[1], [], [], [], [2]]


@pytest.mark.parametrize("choice", ["largest", "all", "0"])
def test_frames_without_faces_go_on_untouched(choice: str) -> None:
    assert select(choice, tracked(0), tracked(1)) == [[], []]
    assert select(choice) == []


def coloured(index: int, red_id: int | None, green_id: int | None) -> FrameFaces[TrackedFace]:
    """A red face on the left and a green one on the right."""
    pixels = np.zeros((120, 160, 3), dtype=np.uint8)
    pixels[:, :80, 0] = pixels[:, 80:, 1] = 200
    faces = [(red_id, face_at(40)), (green_id, face_at(120))]
    return FrameFaces(
        Frame(pixels, index * FRAME_PTS, TIME_BASE),
        tuple(TrackedFace(number, face) for number, face in faces if number is not None),
    )


def test_only_the_person_of_the_reference_is_kept() -> None:
    items = [coloured(index, red_id=0, green_id=1) for index in range(8)]
    recognizer = FakeRecognizer()
    stage = Select(FaceChoice("reference", reference=GREEN), recognizer)
    assert ids(list(stage(iter(items)))) == [[1]] * 8
    assert recognizer.calls == 2 * 5  # the first five frames of two tracks, and no more


def test_one_bad_frame_does_not_hide_the_person() -> None:
    # The first frame of track 0 shows another colour; the other four outvote it.
    items = [coloured(0, red_id=0, green_id=None)]
    items += [coloured(index, red_id=None, green_id=0) for index in range(1, 8)]
    stage = Select(FaceChoice("reference", reference=GREEN), FakeRecognizer())
    assert ids(list(stage(iter(items)))) == [[0]] * 8


def test_a_person_of_one_frame_is_judged_by_it() -> None:
    stage = Select(FaceChoice("reference", reference=RED), FakeRecognizer())
    assert ids(list(stage(iter([coloured(0, red_id=7, green_id=8)])))) == [[7]]


def test_a_reference_waits_for_the_frames_it_declares() -> None:
    stage = Select(FaceChoice("reference", reference=RED), FakeRecognizer())
    read: list[int] = []

    def items() -> object:
        for index in range(9):
            read.append(index)
            yield coloured(index, red_id=0, green_id=1)

    next(iter(stage(items())))  # type: ignore[arg-type]
    assert len(read) == stage.lookahead + 1 == 5


def test_a_reference_needs_a_recognizer() -> None:
    with pytest.raises(ValueError, match="needs a recognizer"):
        Select(FaceChoice("reference", reference=RED))


@pytest.mark.parametrize("text", ["", "-1", "smallest", "1.0", "²"])
def test_an_unknown_choice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="wanted largest, all or a number"):
        FaceChoice.parse(text)


def test_a_reference_goes_with_its_mode() -> None:
    with pytest.raises(ValueError, match="go together"):
        FaceChoice("all", reference=RED)
