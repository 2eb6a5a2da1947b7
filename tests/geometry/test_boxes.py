"""Boxes: areas, overlaps and bounds with answers known by hand."""

import numpy as np
import pytest

from megafs_video.geometry.boxes import area, around, clip, expand, iou


def test_a_box_overlaps_itself_fully_and_a_distant_one_not_at_all() -> None:
    boxes = np.array([[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 70.0]])
    np.testing.assert_array_equal(iou(boxes, boxes), np.eye(2))


def test_no_boxes_overlap_nothing() -> None:
    assert iou(np.zeros((0, 4)), np.ones((3, 4))).shape == (0, 3)
    assert area(np.zeros((0, 4))).shape == (0,)


def test_empty_boxes_do_not_divide_by_zero() -> None:
    assert iou(np.zeros((1, 4)), np.zeros((1, 4)))[0, 0] == 0.0


def test_expanding_and_shrinking_undo_each_other() -> None:
    box = np.array([3.0, 5.0, 9.0, 7.0])
    np.testing.assert_allclose(expand(expand(box, 1.7), 1 / 1.7), box)


def test_a_box_outside_the_picture_is_clipped_to_nothing() -> None:
    clipped = clip(np.array([20.0, 2.0, 30.0, 4.0]), height=10, width=10)
    assert area(clipped[None])[0] == 0.0


def test_no_box_goes_around_no_points() -> None:
    with pytest.raises(ValueError, match="no points"):
        around(np.zeros((0, 2)))


def test_a_box_of_five_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"box_xyxy has shape \[5\], wanted \[4\]"):
        expand(np.zeros(5), 2.0)
