"""Track: numbers stay with their faces, gaps are bridged, cuts end everything."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from megafs_video.pipeline.track import Track
from megafs_video.values import Face, FloatArray, FrameFaces, TrackedFace, UInt8Array
from tests.pipeline.scenes import face_at, frame_at, ids, scene, shot


def test_a_moving_face_keeps_its_number() -> None:
    items = list(Track()(iter(shot([[30 + 3 * index] for index in range(20)]))))
    assert ids(items) == [[0]] * 20


def test_two_faces_keep_their_numbers_in_any_order() -> None:
    items = list(Track()(iter(shot([[40, 120], [122, 42], [44, 124]]))))
    assert ids(items) == [[0, 1], [1, 0], [0, 1]]


def test_faces_that_pass_close_by_are_not_mixed_up() -> None:
    # Each moves 2 pixels a frame; side by side they overlap by half.
    items = list(Track()(iter(shot([[60 + 2 * i, 84 - i % 2] for i in range(4)]))))
    assert ids(items) == [[0, 1]] * 4


def test_a_face_that_was_away_for_the_gap_keeps_its_number() -> None:
    items = list(Track(max_gap_seconds=0.14)(iter(shot([[50], [], [], [], [52]]))))
    assert ids(items) == [[0], [], [], [], [0]]


def test_a_face_that_was_away_longer_gets_a_new_number() -> None:
    items = list(Track(max_gap_seconds=0.12)(iter(shot([[50], [], [], [], [52]]))))
    assert ids(items) == [[0], [], [], [], [1]]


def test_gaps_are_measured_in_time_and_not_in_frames() -> None:
    places: list[list[float]] = [[50], [], [], [], [], [52]]
    close = [
        FrameFaces(frame_at(0, pts=10 * index), tuple(face_at(x) for x in xs))
        for index, xs in enumerate(places)
    ]
    assert ids(list(Track(max_gap_seconds=0.05)(iter(close))))[-1] == [0]
    assert ids(list(Track(max_gap_seconds=0.05)(iter(shot(places)))))[-1] == [1]


def test_a_face_elsewhere_is_another_one() -> None:
    assert ids(list(Track()(iter(shot([[30], [130]]))))) == [[0], [1]]


class WhoRecognizer:
    """Takes a face's score for its identity: 0.1 is one person, 0.2 another."""

    def __init__(self) -> None:
        self.num_asked = 0

    def embed(self, pixels: UInt8Array, face: Face) -> FloatArray:
        self.num_asked += 1
        return np.eye(10)[round(10 * face.score)]


def cast(*frames: Mapping[int, float]) -> list[FrameFaces[Face]]:
    """One frame per entry, with the faces of people (by number) at each x."""
    return [
        FrameFaces(
            frame_at(index),
            tuple(replace(face_at(x), score=who / 10) for who, x in people.items()),
        )
        for index, people in enumerate(frames)
    ]


def numbers(items: Sequence[FrameFaces[TrackedFace]]) -> dict[int, set[int]]:
    """The tracks that each person had."""
    found: dict[int, set[int]] = {}
    for item in items:
        for tracked in item.faces:
            found.setdefault(round(10 * tracked.face.score), set()).add(tracked.track_id)
    return found


def test_people_who_cross_keep_their_numbers_though_one_hides_the_other() -> None:
    walk = [{1: 20.0 + 5 * i, 2: 140.0 - 5 * i} for i in range(24)]
    frames = [{1: people[1]} if abs(people[1] - people[2]) < 30 else people for people in walk]
    assert sum(len(people) == 1 for people in frames) == 5
    for track in (Track(), Track(recognizer=WhoRecognizer())):
        assert numbers(list(track(iter(cast(*frames))))) == {1: {0}, 2: {1}}


def test_people_who_meet_and_turn_back_are_told_apart_by_their_looks() -> None:
    steps = [*range(11), *reversed(range(11))]
    walk = [{1: 20.0 + 5 * i, 2: 140.0 - 5 * i} for i in steps]
    frames = [{1: people[1]} if abs(people[1] - people[2]) < 30 else people for people in walk]
    found = list(Track(recognizer=WhoRecognizer())(iter(cast(*frames))))
    assert numbers(found) == {1: {0}, 2: {1}}


def test_somebody_else_in_the_place_of_a_hidden_face_is_somebody_else() -> None:
    frames = cast({1: 50}, {1: 50}, {}, {2: 50}, {1: 44, 2: 58})
    assert ids(list(Track(recognizer=WhoRecognizer())(iter(frames)))) == [[0], [0], [], [1], [0, 1]]
    assert ids(list(Track()(iter(frames))))[3] == [0]


def test_a_hidden_face_is_found_further_off_by_its_looks() -> None:
    frames = cast({1: 50}, {1: 50}, {}, {}, {}, {1: 85})
    assert ids(list(Track(recognizer=WhoRecognizer())(iter(frames))))[-1] == [0]
    assert ids(list(Track()(iter(frames))))[-1] == [1]


def test_a_face_that_was_never_out_of_sight_is_who_it_was() -> None:
    frames = cast({1: 50}, {1: 51}, {3: 52}, {1: 53})
    assert ids(list(Track(recognizer=WhoRecognizer())(iter(frames)))) == [[0]] * 4


def test_a_face_that_moves_on_while_it_is_hidden_is_expected_there() -> None:
    frames = shot([[20], [28], [36], [], [], [], [], [], [], [92]])
    assert ids(list(Track()(iter(frames))))[-1] == [0]


def test_who_is_alone_is_not_asked_often() -> None:
    asked = WhoRecognizer()
    list(Track(recognizer=asked)(iter(cast(*[{1: 50.0}] * 40))))
    assert asked.num_asked == 10 + 3
    list(Track(recognizer=asked)(iter(cast(*[{1: 40.0, 2: 120.0}] * 40))))
    assert asked.num_asked == 10 + 3 + 80


def test_somebody_who_came_by_a_cut_that_nobody_saw_is_somebody_else() -> None:
    people = [{1: 50.0}] * 15 + [{2: 50.0}] * 15
    found = numbers(list(Track(recognizer=WhoRecognizer())(iter(cast(*people)))))
    assert 0 in found[1] and 1 not in found[1]
    assert 1 in found[2]


def test_each_face_knows_who_it_is_by_all_frames_so_far() -> None:
    people = [{1: 50.0}, {1: 50.0}, {1: 50.0}, {2: 50.0}]
    found = list(Track(recognizer=WhoRecognizer())(iter(cast(*people))))
    for item in found:
        (tracked,) = item.faces
        assert tracked.identity is not None
        # The glimpse of somebody else at the end counts for nothing.
        np.testing.assert_allclose(tracked.identity, np.eye(10)[1])
    assert next(iter(Track()(iter(shot([[50]]))))).faces[0].identity is None


def test_shots_are_numbered_and_a_flash_is_none() -> None:
    items = shot([[50], [50]]) + shot([[]], scene(1)) + shot([[50], [50]])
    assert [item.shot_index for item in Track()(iter(items))] == [0, 0, 1, 0, 0]
    items = shot([[50]] * 4) + shot([[50]] * 5, scene(1)) + shot([[50]] * 2)
    assert [item.shot_index for item in Track()(iter(items))] == [0] * 4 + [1] * 5 + [2] * 2


def test_a_cut_ends_every_track() -> None:
    items = shot([[50], [50]]) + shot([[50], [50]], scene(1))
    assert ids(list(Track()(iter(items)))) == [[0], [0], [1], [1]]


def test_a_damaged_picture_does_not_end_a_track() -> None:
    items = shot([[50], [50]]) + shot([[]], scene(1)) + shot([[50], [50]])
    assert ids(list(Track()(iter(items)))) == [[0], [0], [], [0], [0]]


def test_state_lives_in_the_call() -> None:
    track = Track()
    for _ in range(2):
        assert ids(list(track(iter(shot([[50]]))))) == [[0]]


def test_frames_without_faces_go_on_untouched() -> None:
    items = shot([[], []])
    found = list(Track()(iter(items)))
    assert ids(found) == [[], []]
    assert [item.frame for item in found] == [item.frame for item in items]
    assert list(Track()(iter([]))) == []


def test_a_mesh_that_becomes_five_points_is_refused() -> None:
    five = replace(face_at(50), landmarks_xy=np.zeros((5, 2)))
    items: list[FrameFaces[Face]] = [*shot([[50]]), FrameFaces(frame_at(1), (five,))]
    with pytest.raises(ValueError, match="478 and 5 landmarks"):
        list(Track()(iter(items)))


def test_a_negative_gap_is_refused() -> None:
    with pytest.raises(ValueError, match=r"max_gap_seconds is -0\.1"):
        Track(-0.1)
