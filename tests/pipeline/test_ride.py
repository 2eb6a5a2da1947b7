"""An anchor moves as the picture does, and what trembles about it is smoothed alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from megafs_video.geometry.flow import head_view
from megafs_video.geometry.squares import Square
from megafs_video.pipeline.align import Align
from megafs_video.pipeline.profile import PROFILES
from megafs_video.pipeline.ride import RidingFace, ride
from megafs_video.values import FloatArray, FrameFaces, TrackedFace, UInt8Array
from tests.geometry.moving import HEIGHT, WIDTH, moved, texture
from tests.pipeline.scenes import face_at, frame_at

SIDE = 60.0
# A nod within a tenth of a second: no filter over time alone keeps it and calms a tremor.
NOD = 8.0 * np.exp(-0.5 * np.square((np.arange(30) - 15) / 1.2))


def nodding(tremor: Sequence[float], nod: FloatArray = NOD) -> list[FrameFaces[TrackedFace]]:
    """A head that nods, seen with a tremor in x that the picture does not have."""
    middle_x, middle_y = WIDTH / 2, HEIGHT / 2
    return [
        FrameFaces(
            frame_at(index, moved(texture(), 0, y)),
            (TrackedFace(0, face_at(middle_x + dx, middle_y + y, side=SIDE)),),
        )
        for index, (y, dx) in enumerate(zip(nod, tremor, strict=True))
    ]


def anchors(items: Sequence[FrameFaces[TrackedFace]]) -> list[RidingFace]:
    """The only face of each frame."""
    return [item.faces[0] for item in ride(iter(items))]


def test_an_anchor_moves_as_the_picture_does() -> None:
    tremor = np.random.default_rng(0).normal(0, 1, 30)
    found = anchors(nodding(tremor))
    assert found[0].anchor == found[0].square
    y = np.array([face.anchor.center_y for face in found])
    np.testing.assert_allclose(y - y[0], NOD - NOD[0], atol=0.4)
    x = np.array([face.anchor.center_x for face in found])
    assert np.abs(np.diff(x)).max() < 0.15  # the tremor is not in the picture


def test_a_nod_is_followed_and_a_tremor_is_not() -> None:
    tremor = np.random.default_rng(0).normal(0, 1, 30)
    crops = [item.faces[0] for item in Align(64, PROFILES["light"])(iter(nodding(tremor)))]
    found = [Square.from_matrix(crop.frame_to_crop, 64) for crop in crops]
    y = np.array([square.center_y for square in found])
    np.testing.assert_allclose(y - y[0], NOD - NOD[0], atol=0.5)
    x = np.array([square.center_x for square in found])
    assert x[8:-8].std() < 0.5 * tremor[8:-8].std()


def test_drift_is_taken_back() -> None:
    items = nodding(np.zeros(200), np.zeros(200))
    first, *others = items
    # The first look was wrong by a tenth of the side.
    wrong = FrameFaces(
        first.frame, (TrackedFace(0, face_at(WIDTH / 2 + 6, HEIGHT / 2, side=SIDE)),)
    )
    last = anchors([wrong, *others])[-1]
    assert last.square.center_x - last.anchor.center_x == pytest.approx(0, abs=1.0)


def test_a_head_that_stays_is_drawn_once_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    squares: list[Square] = []

    def view(pixels: UInt8Array, square: Square) -> UInt8Array:
        squares.append(square)
        return head_view(pixels, square)

    monkeypatch.setattr("megafs_video.pipeline.ride.head_view", view)
    still = anchors(nodding(np.zeros(10), np.zeros(10)))
    assert len(squares) == 10 and len(set(squares)) == 1
    squares.clear()
    anchors(nodding(np.zeros(30)))
    assert 30 < len(squares) < 60  # drawn anew while it nods
    assert still[-1].motion is not None
    assert still[-1].motion.since_seconds == frame_at(8).seconds


def test_where_the_flow_is_lost_the_face_is_followed() -> None:
    items = nodding(np.zeros(4), np.zeros(4))
    frame = frame_at(4, texture(seed=3))  # another picture, and the face elsewhere
    far = FrameFaces(frame, (TrackedFace(0, face_at(WIDTH / 2 + 30, HEIGHT / 2, side=SIDE)),))
    found = anchors([*items, far])
    assert abs(found[-1].anchor.center_x - found[-1].square.center_x) < 2


def test_a_track_that_was_away_begins_anew_and_tracks_have_anchors_of_their_own() -> None:
    away = [FrameFaces(frame_at(index), ()) for index in range(1, 20)]
    first, second = nodding(np.zeros(2), np.zeros(2))
    late = FrameFaces(frame_at(20), (TrackedFace(0, face_at(40.0)), TrackedFace(1, face_at(90.0))))
    *_, found = ride(iter([first, *away, late]))
    assert [face.anchor for face in found.faces] == [face.square for face in found.faces]
    assert [face.track_id for face in found.faces] == [0, 1]
    assert second.faces[0].track_id == 0
    assert list(ride(iter([]))) == []
