"""A known rotation is a known number of degrees."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from megafs_video.evaluation.pose import (
    angle_differences_degrees,
    head_angles_degrees,
    turn_degrees,
    turns_degrees,
)
from megafs_video.values import FloatArray


def turned(yaw: float, pitch: float, roll: float) -> FloatArray:
    """A rotation [3, 3] made by hand, degrees: tilted, then nodding, then turned."""
    (sy, sp, sr), (cy, cp, cr) = np.sin(angles := np.radians([yaw, pitch, roll])), np.cos(angles)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_y @ about_x @ about_z


@pytest.mark.parametrize("angles", [(30, 0, 0), (0, -20, 0), (0, 0, 45), (-85, 10, -5)])
def test_angles_come_back_by_name(angles: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(head_angles_degrees(turned(*angles)), angles, atol=1e-9)


def test_each_angle_has_its_own_difference() -> None:
    found = angle_differences_degrees(turned(30, 5, -10), turned(-10, 8, -11))
    np.testing.assert_allclose(found, [40, 3, 1], atol=1e-9)


def test_the_short_way_round_counts() -> None:
    found = angle_differences_degrees(turned(0, 0, 175), turned(0, 0, -175))
    np.testing.assert_allclose(found, [0, 0, 10], atol=1e-9)


def test_the_whole_turn_is_one_angle_about_any_axis() -> None:
    start = turned(12, -7, 3)
    axis = np.array([1.0, 2.0, -2.0]) / 3
    then = Rotation.from_rotvec(np.radians(25) * axis).as_matrix()
    assert turn_degrees(start, then @ start) == pytest.approx(25)
    assert turn_degrees(start, start) == pytest.approx(0, abs=1e-6)


def test_a_clip_has_a_turn_a_frame_and_none_where_a_head_is_not_known() -> None:
    heads = np.stack([turned(yaw, 0, 0) for yaw in (0, 10, 20)])
    others = np.stack([turned(yaw, 0, 0) for yaw in (3, 10, -20)])
    others[1] = np.nan
    np.testing.assert_allclose(turns_degrees(heads, others), [3, np.nan, 40], atol=1e-9)
    assert turns_degrees(heads[:0], heads[:0]).shape == (0,)


def test_a_matrix_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"head_to_camera has shape \[4, 4\], wanted \[3, 3\]"):
        turn_degrees(np.eye(4), np.eye(4))
    with pytest.raises(ValueError, match=r"second has shape \[1, 3, 3\], wanted \[2, 3, 3\]"):
        turns_degrees(np.zeros((2, 3, 3)), np.zeros((1, 3, 3)))
