"""Track: numbers stay with their faces, gaps are bridged, cuts end everything."""

from dataclasses import replace

import numpy as np
import pytest

from megafs_video.pipeline.track import Track
from megafs_video.values import Face, FrameFaces
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
    items = list(Track(max_gap_frames=3)(iter(shot([[50], [], [], [], [52]]))))
    assert ids(items) == [[0], [], [], [], [0]]


def test_a_face_that_was_away_longer_gets_a_new_number() -> None:
    items = list(Track(max_gap_frames=2)(iter(shot([[50], [], [], [], [52]]))))
    assert ids(items) == [[0], [], [], [], [1]]


def test_a_face_elsewhere_is_another_one() -> None:
    assert ids(list(Track()(iter(shot([[30], [130]]))))) == [[0], [1]]


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
    with pytest.raises(ValueError, match="max_gap_frames is -1"):
        Track(-1)
