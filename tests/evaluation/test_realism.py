"""The kernel distance, against sums that can be done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from megafs_video.evaluation.realism import kernel_distance


def test_two_points_are_at_the_distance_of_their_kernels() -> None:
    # Of (x·y / 2 + 1)³: 8 among the ones, 1 among the zeros and 1 across.
    ones, zeros = np.ones((3, 2)), np.zeros((4, 2))
    assert kernel_distance(ones, zeros) == pytest.approx(8 + 1 - 2 * 1)


def test_rows_are_not_compared_with_themselves() -> None:
    axes = np.eye(2)  # each row's kernel with itself is (1/2 + 1)³, with the other 1
    assert kernel_distance(axes, axes) == pytest.approx(1 + 1 - (1.5**3 + 1))


def test_two_samples_of_one_cloud_are_at_zero_and_of_two_clouds_are_not() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, 400, 8))
    # The standard error at 400 rows is about 0.01.
    assert kernel_distance(first, second) == pytest.approx(0, abs=0.03)
    assert kernel_distance(first, second + 1) > 1


def test_the_distance_is_the_same_both_ways() -> None:
    random = np.random.default_rng(1)
    first, second = random.normal(size=(5, 3)), random.normal(size=(7, 3))
    assert kernel_distance(first, second) == pytest.approx(kernel_distance(second, first))


def test_one_picture_has_no_distance() -> None:
    with pytest.raises(ValueError, match="1 and 2 rows have no distance, wanted at least 2"):
        kernel_distance(np.ones((1, 3)), np.ones((2, 3)))


def test_features_of_two_networks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"reference has shape \[2, 4\]"):
        kernel_distance(np.ones((2, 3)), np.ones((2, 4)))
