"""Select: the chosen person stays chosen, behind cuts too, and nobody else is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from megafs_video.pipeline.select import FaceChoice, Select
from megafs_video.values import Face, FloatArray, FrameFaces, TrackedFace
from tests.pipeline.scenes import face_at, frame_at, ids

SMALL, LARGE, HUGE = (face_at(x, side=side) for x, side in ((30, 30), (80, 50), (130, 70)))
ANNA, BEN, CARL = np.eye(8)[:3]

Shown = Mapping[int, tuple[FloatArray, Face]]


def clip(*shots: list[Shown]) -> list[FrameFaces[TrackedFace]]:
    """Shots of frames, each of tracks with who is seen and where."""
    frames = [(shot_index, shown) for shot_index, shot in enumerate(shots) for shown in shot]
    return [
        FrameFaces(
            frame_at(index),
            tuple(TrackedFace(track, face, who) for track, (who, face) in shown.items()),
            shot_index,
        )
        for index, (shot_index, shown) in enumerate(frames)
    ]


def select(choice: str | FaceChoice, *shots: list[Shown]) -> list[list[int]]:
    parsed = FaceChoice.parse(choice) if isinstance(choice, str) else choice
    return ids(list(Select(parsed)(iter(clip(*shots)))))


def people(*identities: FloatArray) -> FaceChoice:
    return FaceChoice("people", people=identities)


def test_all_keeps_every_face_known_or_not() -> None:
    item = FrameFaces(frame_at(0), (TrackedFace(0, SMALL), TrackedFace(1, LARGE)))
    assert list(Select(FaceChoice("all"))(iter([item]))) == [item]


def test_the_largest_stays_chosen_when_a_larger_one_comes() -> None:
    first: Shown = {0: (ANNA, SMALL), 1: (BEN, LARGE)}
    later: Shown = {0: (ANNA, HUGE), 1: (BEN, SMALL), 2: (CARL, HUGE)}
    assert select("largest", [first] * 3 + [later] * 6) == [[1]] * 9


def test_nobody_stands_in_for_the_largest_who_is_away() -> None:
    both: Shown = {0: (ANNA, SMALL), 1: (BEN, LARGE)}
    found = select("largest", [both] * 4 + [{0: (ANNA, SMALL)}] * 30)
    assert found == [[1]] * 4 + [[]] * 30


@pytest.mark.parametrize("choice", ["largest", "1"])
def test_a_choice_holds_behind_a_cut_and_after_an_absence(choice: str) -> None:
    first: Shown = {0: (ANNA, SMALL), 1: (BEN, LARGE)}
    second: Shown = {2: (BEN, SMALL), 3: (ANNA, HUGE)}
    third: Shown = {4: (ANNA, LARGE), 5: (CARL, HUGE)}
    last: Shown = {6: (CARL, SMALL), 7: (ANNA, SMALL), 8: (BEN, SMALL)}
    found = select(choice, [first] * 6, [second] * 3, [third] * 50, [{}] * 9, [last] * 6)
    assert found == [[1]] * 6 + [[2]] * 3 + [[]] * 59 + [[8]] * 6


def test_people_are_counted_in_the_order_in_which_they_come() -> None:
    shots: list[list[Shown]] = [
        [{0: (ANNA, LARGE)}] * 6,
        [{1: (BEN, HUGE), 2: (ANNA, SMALL), 3: (CARL, LARGE)}] * 6,
    ]
    assert select("0", *shots) == [[0]] * 6 + [[2]] * 6
    # Of two who come at once, the one on the left is counted first.
    assert select("1", *shots) == [[]] * 6 + [[3]] * 6
    assert select("2", *shots) == [[]] * 6 + [[1]] * 6
    assert select("3", *shots) == [[]] * 12


def test_a_glimpse_is_no_person() -> None:
    glimpse: Shown = {0: (CARL, HUGE), 1: (ANNA, SMALL)}
    assert select("largest", [glimpse] + [{1: (ANNA, SMALL)}] * 9) == [[1]] * 10


def test_who_is_seen_beside_a_person_is_somebody_else() -> None:
    # A brother: alike enough to be taken for him, were he alone.
    brother = 0.8 * BEN + 0.6 * CARL
    both: Shown = {0: (BEN, SMALL), 1: (brother, LARGE)}
    assert select("0", [both] * 6) == [[0]] * 6
    assert select("1", [both] * 6) == [[1]] * 6


def test_each_of_several_people_has_a_source() -> None:
    shots: list[list[Shown]] = [
        [{0: (ANNA, SMALL), 1: (BEN, LARGE), 2: (CARL, HUGE)}] * 6,
        [{3: (CARL, SMALL), 4: (BEN, SMALL)}] * 6,
    ]
    found = list(Select(people(BEN, ANNA))(iter(clip(*shots))))
    given = [{face.track_id: face.source_index for face in item.faces} for item in found]
    assert given == [{0: 1, 1: 0}] * 6 + [{4: 0}] * 6


def test_a_mirror_shows_a_person_twice() -> None:
    both: Shown = {0: (ANNA, SMALL), 1: (ANNA, HUGE), 2: (BEN, LARGE)}
    assert select(people(ANNA), [both] * 3) == [[0, 1]] * 3


def test_who_was_nobody_at_first_may_be_known_when_seen_better() -> None:
    blurred: Shown = {0: (0.2 * ANNA + 0.98 * CARL, SMALL)}
    clear: Shown = {0: (ANNA, SMALL)}
    assert select(people(ANNA), [blurred] * 9 + [clear] * 9) == [[]] * 5 + [[0]] * 13
    assert select(people(ANNA), [clear] * 9 + [blurred] * 9) == [[0]] * 18


def test_a_track_of_one_frame_is_judged_by_it() -> None:
    assert select("largest", [{7: (ANNA, SMALL), 8: (BEN, LARGE)}]) == [[8]]
    assert select(people(BEN), [{7: (ANNA, SMALL), 8: (BEN, LARGE)}]) == [[8]]


@pytest.mark.parametrize("choice", ["largest", "all", "0"])
def test_frames_without_faces_go_on_untouched(choice: str) -> None:
    assert select(choice, [{}, {}]) == [[], []]
    assert select(choice) == []


def test_it_waits_for_the_frames_it_declares() -> None:
    stage = Select(people(ANNA))
    read: list[int] = []

    def items() -> Iterator[FrameFaces[TrackedFace]]:
        for index, item in enumerate(clip([{0: (ANNA, SMALL)}] * 9)):
            read.append(index)
            yield item

    next(iter(stage(items())))
    assert len(read) == stage.lookahead + 1 == 5
    assert Select(FaceChoice("all")).lookahead == 0


def test_people_cannot_be_told_apart_without_identities() -> None:
    item = FrameFaces(frame_at(0), (TrackedFace(0, SMALL),))
    with pytest.raises(ValueError, match="give Track a recognizer"):
        list(Select(FaceChoice("largest"))(iter([item])))


@pytest.mark.parametrize("text", ["", "-1", "smallest", "1.0", "²"])
def test_an_unknown_choice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="wanted largest, all or a number"):
        FaceChoice.parse(text)


def test_people_go_with_their_mode() -> None:
    with pytest.raises(ValueError, match="go together"):
        FaceChoice("all", people=(ANNA,))
    with pytest.raises(ValueError, match="go together"):
        FaceChoice("people")
