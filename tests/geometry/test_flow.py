"""Flow follows the picture, and a head's motion is that of its skull."""

from __future__ import annotations

import numpy as np

from megafs_video.geometry.flow import (
    flow,
    head_flow,
    head_motion,
    head_view,
    occluded,
    quick_flow,
    stepped,
    unexplained,
)
from megafs_video.geometry.similarity import transform_points
from megafs_video.geometry.squares import Square
from megafs_video.values import FloatArray
from tests.geometry.moving import HEIGHT, WIDTH, carried, moved, texture

INNER = np.s_[16:-16, 16:-16]
SQUARE = Square(WIDTH / 2, HEIGHT / 2, 90.0, 0.1)
VIEW = head_view(texture(), SQUARE)


def test_flow_is_the_translation() -> None:
    steps = flow(texture(), moved(texture(), 3, -2))
    np.testing.assert_allclose(np.median(steps[INNER], axis=(0, 1)), [3, -2], atol=0.1)


def test_the_quick_flow_is_the_translation_too() -> None:
    steps = quick_flow(texture()[..., 1], moved(texture(), 3, -2)[..., 1])
    np.testing.assert_allclose(np.median(steps[INNER], axis=(0, 1)), [3, -2], atol=0.1)


def test_where_the_flow_back_does_not_undo_it_a_pixel_is_occluded() -> None:
    there = np.zeros((20, 30, 2), np.float32)
    there[..., 0] = 2.0
    assert not occluded(there, -there).any()
    back = -there
    back[:, 15:] = 5.0
    found = occluded(there, back)
    assert found[:, 14:].all() and not found[:, :12].any()


def test_what_the_flow_brings_along_and_does_not_look_alike_is_unexplained() -> None:
    before, after = texture()[..., 1], moved(texture(), 3, -2)[..., 1].copy()
    steps = np.full((HEIGHT, WIDTH, 2), (3.0, -2.0), np.float32)
    assert not unexplained(before, after, steps)[INNER].any()
    after[40:60, 40:70] = 255 - after[40:60, 40:70]  # a hand, say
    found = unexplained(before, after, steps)
    assert found[45:59, 40:64].mean() > 0.8
    assert not found[INNER][:18].any()
    brighter = np.minimum(before, 200) + np.uint8(10)
    assert not unexplained(brighter, np.minimum(before, 200), np.zeros_like(steps)).any()


def test_a_step_is_taken_in_the_picture() -> None:
    steps = np.full((HEIGHT, WIDTH, 2), (3.0, -2.0), np.float32)
    found = stepped(moved(texture(), 3, -2).astype(np.float32), steps)
    np.testing.assert_allclose(found[INNER], texture()[INNER])


def similarity(scale: float, angle: float, x: float, y: float) -> FloatArray:
    """About the middle of the picture, and then a step."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([WIDTH / 2, HEIGHT / 2])
    return np.column_stack([turn, middle + np.array([x, y]) - turn @ middle])


def test_the_motion_of_a_head_is_found_to_a_tenth_of_a_pixel() -> None:
    motion = similarity(1.02, -0.03, 2.5, -1.5)
    found = head_motion(head_flow(VIEW, 0.0, head_view(carried(texture(), motion), SQUARE), SQUARE))
    corners_xy = SQUARE.corners_xy
    np.testing.assert_allclose(
        transform_points(corners_xy, found), transform_points(corners_xy, motion), atol=0.25
    )


def test_a_quarter_of_the_face_may_move_otherwise() -> None:
    motion = similarity(1.0, 0.0, 2.0, 0.0)
    after = carried(texture(), motion)
    after[66:] = moved(texture(), -3, 4)[66:]  # a mouth that opens
    found = head_motion(head_flow(VIEW, 0.0, head_view(after, SQUARE), SQUARE))
    corners_xy = SQUARE.corners_xy
    missed_xy = transform_points(corners_xy, found) - transform_points(corners_xy, motion)
    assert np.hypot(*missed_xy.T).mean() < 0.5  # pixels; the mouth went 6 from where it should


def test_a_picture_without_a_trace_does_not_move() -> None:
    flat = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    np.testing.assert_allclose(
        head_motion(head_flow(head_view(flat, SQUARE), 0.0, head_view(flat, SQUARE), SQUARE)),
        np.eye(2, 3),
        atol=1e-9,
    )


def test_the_flow_of_a_head_leads_back_to_where_each_part_was() -> None:
    motion = head_flow(VIEW, 0.5, head_view(moved(texture(), 3, -2), SQUARE), SQUARE)
    scale = np.hypot(*motion.frame_to_view[:, 0])
    back = motion.steps[20:-20, 20:-20] @ np.linalg.inv(motion.frame_to_view[:, :2]).T
    np.testing.assert_allclose(np.median(back, axis=(0, 1)), [-3, 2], atol=0.1 * scale)
    assert motion.since_seconds == 0.5
    assert motion.is_known[20:-20, 20:-20].mean() > 0.95


def test_what_passed_in_front_of_a_head_is_not_known() -> None:
    after = texture()
    after[40:64, 70:100] = 255
    motion = head_flow(VIEW, 0.0, head_view(after, SQUARE), SQUARE)
    middle_xy = transform_points(np.array([[85.0, 52.0]]), motion.frame_to_view)[0].astype(int)
    assert not motion.is_known[middle_xy[1], middle_xy[0]]
