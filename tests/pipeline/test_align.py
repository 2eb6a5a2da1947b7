"""Align: the raw crop is exact, the smoothed one is calm, and time is what counts."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from megafs_video.geometry.similarity import invert, transform_points
from megafs_video.geometry.squares import Square
from megafs_video.geometry.templates import FFHQ_EYES_XY, mesh_square
from megafs_video.pipeline.align import Align
from megafs_video.pipeline.profile import PROFILES, Profile
from megafs_video.values import AlignedCrop, Face, FloatArray, FrameFaces, TrackedFace
from tests.faces.fakes import IRISES, face_in
from tests.pipeline.scenes import face_at, frame_at, scene, tracked

CROP = 64
LIGHT = PROFILES["light"]


def centers(items: list[FrameFaces[AlignedCrop]]) -> FloatArray:
    """Centre (x, y), side and angle of the only crop of each frame."""
    squares = [Square.from_matrix(item.faces[0].frame_to_crop, CROP) for item in items]
    return np.array([[s.center_x, s.center_y, s.side, s.angle] for s in squares])


def align(faces: list[Face], profile: Profile | None = LIGHT) -> FloatArray:
    items = [tracked(index, (0, face)) for index, face in enumerate(faces)]
    return centers(list(Align(CROP, profile)(iter(items))))


def test_without_smoothing_the_transform_is_the_raw_one_exactly() -> None:
    faces = [face_at(50 + index, angle=index / 10) for index in range(5)]
    items = [tracked(index, (0, face)) for index, face in enumerate(faces)]
    stage = Align(CROP, profile=None)
    assert stage.lookahead == 0
    for item, face in zip(stage(iter(items)), faces, strict=True):
        wanted = mesh_square(face.landmarks_xy).frame_to_crop(CROP)
        np.testing.assert_array_equal(item.faces[0].frame_to_crop, wanted)


def test_the_eyes_are_where_ffhq_has_them() -> None:
    face = face_at(70, angle=0.3)
    (item,) = Align(CROP, LIGHT)(iter([tracked(0, (0, face))]))
    eyes_xy = transform_points(face.landmarks_xy[list(IRISES)], item.faces[0].frame_to_crop)
    np.testing.assert_allclose((eyes_xy + 0.5) / CROP, FFHQ_EYES_XY, atol=0.02)


def test_a_trembling_face_gets_a_calm_crop() -> None:
    rng = np.random.default_rng(0)
    faces = [face_at(80 + dx, 60 + dy, side=60 + ds) for dx, dy, ds in rng.normal(0, 1, (60, 3))]
    raw = align(faces, profile=None)[8:-8, :3].std(axis=0)
    # Bells of one and two frames leave 53 and 38 % of white noise; a little more by chance.
    assert np.all(align(faces)[8:-8, :3].std(axis=0) < 0.7 * raw)
    assert np.all(align(faces, PROFILES["strong"])[8:-8, :3].std(axis=0) < 0.5 * raw)


def test_a_trembling_face_gets_a_calm_outline() -> None:
    def middles(profile: Profile | None) -> FloatArray:
        rng = np.random.default_rng(0)
        faces = [face_at(80 + dx) for dx in rng.normal(0, 1, 60)]
        items = [tracked(index, (0, face)) for index, face in enumerate(faces)]
        crops = [item.faces[0] for item in Align(CROP, profile)(iter(items))]
        return np.array(
            [
                transform_points(crop.outline_xy, invert(crop.frame_to_crop)).mean(axis=0)
                for crop in crops
            ]
        )

    assert middles(LIGHT)[:, 0].std() < 0.7 * middles(None)[:, 0].std()


def test_a_face_that_moves_evenly_is_followed_without_lag_up_to_both_ends() -> None:
    faces = [face_at(40 + 2 * index) for index in range(30)]
    # The anchor stays with the picture, which does not move, and slowly returns to the face.
    np.testing.assert_allclose(align(faces), align(faces, profile=None), atol=0.5)


def test_a_doubtful_face_counts_for_less() -> None:
    faces = [face_at(80) for _ in range(21)]
    off = face_in(Square(90.0, 60.0, 60.0, 0.0), score=0.9)
    pulls = []
    for score in (0.9, 0.1):
        faces[10] = replace(off, score=score)
        pulls.append(np.ptp(align(faces, PROFILES["kalman"])[:, 0]))
    assert pulls[1] < 0.3 * pulls[0]


def test_a_crop_carries_the_confidence_of_its_face() -> None:
    (item,) = Align(CROP)(iter([tracked(0, (0, face_in(Square(80.0, 60.0, 60.0, 0.0), 0.7)))]))
    assert item.faces[0].confidence == 0.7


def test_a_still_face_stays_still_at_the_ends_too() -> None:
    found = align([face_at(70, angle=-0.2)] * 12)
    np.testing.assert_allclose(found, np.tile(found[:1], (12, 1)), atol=1e-9)


def test_angles_are_averaged_the_short_way() -> None:
    faces = [face_at(80, angle=np.pi + offset) for offset in (-0.05, 0.05) * 10]
    angles = align(faces)[:, 3]
    assert np.all(np.abs(np.abs(angles) - np.pi) < 0.05)


def test_two_tracks_are_not_averaged() -> None:
    # A cut: the same number of frames on either side, at two places.
    items = [
        tracked(index, (index // 10, face_at(40 if index < 10 else 120))) for index in range(20)
    ]
    found = centers(list(Align(CROP, LIGHT)(iter(items))))
    assert np.ptp(found[:10, 0]) < 1e-9 and np.ptp(found[10:, 0]) < 1e-9


def test_a_frame_far_away_in_time_does_not_count() -> None:
    # Two frames a second: the window of half a second holds one frame only.
    items = [
        FrameFaces(frame_at(0, pts=500 * index), (TrackedFace(0, face_at(50 + 9 * index)),))
        for index in range(5)
    ]
    raw = centers(list(Align(CROP, profile=None)(iter(items))))
    np.testing.assert_allclose(centers(list(Align(CROP, LIGHT)(iter(items)))), raw, atol=1e-9)


def test_frames_wait_no_longer_than_declared() -> None:
    stage, read = Align(CROP, LIGHT, max_lookahead_frames=3), []

    def items() -> Iterator[FrameFaces[TrackedFace]]:
        for index in range(20):
            read.append(index)
            yield tracked(index, (0, face_at(80)))

    for yielded, _ in enumerate(stage(items())):
        assert len(read) <= yielded + 1 + stage.lookahead
    assert len(read) == 20


def test_frames_come_out_one_for_one_with_and_without_faces() -> None:
    items = [tracked(0), tracked(1, (0, face_at(60)), (1, face_at(110))), tracked(2)]
    found = list(Align(CROP, LIGHT)(iter(items)))
    assert [item.frame for item in found] == [item.frame for item in items]
    assert [[crop.track_id for crop in item.faces] for item in found] == [[], [0, 1], []]
    assert list(Align(CROP, LIGHT)(iter([]))) == []


def test_a_face_cut_by_the_border_still_has_a_whole_crop() -> None:
    pixels = np.maximum(scene(0), 30)
    item = FrameFaces(frame_at(0, pixels), (TrackedFace(0, face_at(2, 5)),))
    (found,) = Align(CROP, LIGHT)(iter([item]))
    assert found.faces[0].pixels.shape == (CROP, CROP, 3) and found.faces[0].pixels.min() >= 30


def test_the_outline_lies_about_the_middle_of_the_crop() -> None:
    (item,) = Align(CROP, LIGHT)(iter([tracked(0, (0, face_at(80)))]))
    outline_xy = item.faces[0].outline_xy
    assert len(outline_xy) > 8
    np.testing.assert_allclose(outline_xy.mean(axis=0) / CROP, [0.5, 0.55], atol=0.03)


def test_a_crop_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Align.crop_size is 0"):
        Align(0)
