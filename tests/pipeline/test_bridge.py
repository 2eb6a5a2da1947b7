"""Bridge: short gaps are closed where the face is, long ones and profiles are left alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from megafs_video.geometry.templates import FACE_SIDES, NOSE_TIP, mesh_yaw_degrees
from megafs_video.pipeline.bridge import MAX_BRIDGE_FRAMES, Bridge
from megafs_video.values import Face, FloatArray, FrameFaces, TrackedFace, UInt8Array
from tests.pipeline.scenes import FRAME_PTS, face_at, frame_at, ids

ANNA, BEN = np.eye(4)[:2]


def turned(x: float, yaw_degrees: float) -> Face:
    """A face that looks aside by so much."""
    face = face_at(x)
    mesh_xy = face.landmarks_xy.copy()
    middle_x = mesh_xy[list(FACE_SIDES), 0].mean()
    # The mesh of the fakes has no sides of its own: give it some.
    mesh_xy[FACE_SIDES[0]] = [middle_x - 20, 60]
    mesh_xy[FACE_SIDES[1]] = [middle_x + 20, 60]
    mesh_xy[NOSE_TIP] = [middle_x + 20 * 1.69 * np.tan(np.radians(yaw_degrees)), 65]
    return replace(face, landmarks_xy=mesh_xy)


def clip(
    faces: Sequence[Face | None], pts: Sequence[int] | None = None
) -> list[FrameFaces[TrackedFace]]:
    """Frames in which Anna is seen, or is not."""
    times = [FRAME_PTS * index for index in range(len(faces))] if pts is None else pts
    return [
        FrameFaces(
            frame_at(0, pts=time),
            () if face is None else (TrackedFace(3, face, ANNA, source_index=2),),
        )
        for face, time in zip(faces, times, strict=True)
    ]


class Seer:
    """Sees the same person in every place but those beyond a border."""

    def __init__(self, border_x: float = 1e9) -> None:
        self.border_x = border_x

    def embed(self, pixels: UInt8Array, face: Face) -> FloatArray:
        return ANNA if face.box_xyxy[0] < self.border_x else BEN


def test_a_face_that_is_missed_is_put_on_the_way_between() -> None:
    items = clip([face_at(50), None, None, face_at(59)], [0, 10, 20, 30])
    found = list(Bridge(0.05, Seer())(iter(items)))
    assert ids(found) == [[3]] * 4
    for item, x in zip(found, (50, 53, 56, 59), strict=True):
        (tracked,) = item.faces
        np.testing.assert_allclose(tracked.face.landmarks_xy, face_at(x).landmarks_xy, atol=1e-9)
        np.testing.assert_allclose(tracked.face.box_xyxy, face_at(x).box_xyxy, atol=1e-9)
        assert tracked.source_index == 2
    assert found[0].faces[0] is items[0].faces[0]
    assert found[1].faces[0].face.score < 0.2


def test_the_way_goes_by_the_frames_own_times() -> None:
    items = clip([face_at(50), None, face_at(60)], [0, 30, 40])
    found = list(Bridge(0.05, Seer())(iter(items)))
    np.testing.assert_allclose(found[1].faces[0].face.box_xyxy, face_at(57.5).box_xyxy)


@pytest.mark.parametrize(("max_gap_seconds", "is_bridged"), [(0.1, True), (0.098, False)])
def test_a_gap_may_last_as_long_as_was_said_and_no_longer(
    max_gap_seconds: float, is_bridged: bool
) -> None:
    items = clip([face_at(50), None, None, face_at(50)])  # 33 ms apart
    found = ids(list(Bridge(max_gap_seconds, Seer())(iter(items))))
    assert found == ([[3]] * 4 if is_bridged else [[3], [], [], [3]])


def test_without_a_gap_allowed_nothing_waits_and_nothing_is_bridged() -> None:
    stage = Bridge(0.0)
    assert stage.lookahead == 0
    assert ids(list(stage(iter(clip([face_at(50), None, face_at(50)]))))) == [[3], [], [3]]


def test_a_hidden_face_is_not_painted_over_what_hides_it() -> None:
    # Where Anna should be in the third frame, somebody else is seen.
    border = (face_at(55).box_xyxy[0] + face_at(57).box_xyxy[0]) / 2
    items = clip([face_at(50), None, None, face_at(59)])
    items[2] = replace(items[2], frame=replace(items[2].frame))
    found = ids(list(Bridge(0.2, Seer(border))(iter(items))))
    assert found == [[3], [3], [], [3]]


def test_somebody_who_does_not_come_back_is_not_made_up() -> None:
    items = clip([face_at(50), face_at(50)] + [None] * 20)
    assert ids(list(Bridge(0.3, Seer())(iter(items)))) == [[3], [3]] + [[]] * 20


def test_a_profile_is_left_out_until_the_head_has_turned_back() -> None:
    yaws = [0, 30, 50, 58, 50, 57, 50, 80, 70, 50, 40, 20]
    items = clip([turned(50, yaw) for yaw in yaws])
    found = ids(list(Bridge(0.05, Seer())(iter(items))))
    # It does not come and go about the limit.
    assert found == [[3]] * 3 + [[]] * 7 + [[3]] * 2


def test_a_profile_of_a_moment_is_followed_as_it_was_seen() -> None:
    items = clip([turned(50, yaw) for yaw in (0, -58, -60, 0)])
    found = list(Bridge(0.2, Seer())(iter(items)))
    assert [item.faces[0] for item in found] == [item.faces[0] for item in items]


def test_a_head_that_is_first_seen_in_profile_is_shown_when_it_turns() -> None:
    items = clip([turned(50, yaw) for yaw in (70, 60, 20)])
    assert ids(list(Bridge(0.3, Seer())(iter(items)))) == [[], [], [3]]


def test_people_have_gaps_of_their_own() -> None:
    items = clip([face_at(50), None, face_at(50), face_at(50), None])
    others = [TrackedFace(8, face_at(120), BEN) if i != 3 else None for i in range(5)]
    both = [
        replace(item, faces=item.faces + (() if other is None else (other,)))
        for item, other in zip(items, others, strict=True)
    ]
    found = list(Bridge(0.1)(iter(both)))
    assert [set(row) for row in ids(found)] == [{3, 8}] * 4 + [{8}]
    assert [item.frame for item in found] == [item.frame for item in both]


def test_frames_wait_only_while_a_face_is_missing() -> None:
    num_read = 0

    def items() -> Iterator[FrameFaces[TrackedFace]]:
        nonlocal num_read
        for item in clip([face_at(50)] * 5 + [None] * 500, [5 * index for index in range(505)]):
            num_read += 1
            yield item

    for num_given, _ in enumerate(Bridge(1.0, Seer())(items()), start=1):
        most = 0 if num_given <= 5 else MAX_BRIDGE_FRAMES + 1
        assert num_read <= num_given + most


def test_a_negative_gap_is_refused() -> None:
    with pytest.raises(ValueError, match=r"max_gap_seconds is -1, wanted 0 or more"):
        Bridge(-1)


def test_the_faces_of_these_tests_look_where_they_say() -> None:
    for yaw in (-70.0, -20.0, 0.0, 45.0, 60.0):
        assert mesh_yaw_degrees(turned(50, yaw).landmarks_xy) == pytest.approx(yaw)
