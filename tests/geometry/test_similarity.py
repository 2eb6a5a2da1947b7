"""Similarity transforms: fitted, inverted, composed, and applied to points."""

import numpy as np
import pytest

from megafs_video.geometry.similarity import (
    compose,
    fit_similarity,
    invert,
    resize,
    scale_of,
    transform_points,
)
from megafs_video.values import FloatArray

POINTS_XY = np.random.default_rng(0).uniform(-100, 100, (7, 2))


def turn_and_scale(angle: float, scale: float, x: float, y: float) -> FloatArray:
    """The matrix of a similarity, written out."""
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, x], [sin, cos, y]])


@pytest.mark.parametrize("angle", [0.0, 0.7, -3.0])
def test_a_similarity_is_found_again_from_its_points(angle: float) -> None:
    matrix = turn_and_scale(angle, 2.5, -30.0, 4.0)
    found = fit_similarity(POINTS_XY, transform_points(POINTS_XY, matrix))
    np.testing.assert_allclose(found, matrix, atol=1e-9)


def test_no_other_similarity_fits_noisy_points_better() -> None:
    noisy_xy = POINTS_XY + np.random.default_rng(1).normal(0, 3, POINTS_XY.shape)
    best = fit_similarity(POINTS_XY, noisy_xy)

    def error(matrix: FloatArray) -> float:
        return float(np.square(transform_points(POINTS_XY, matrix) - noisy_xy).sum())

    for nudge in np.random.default_rng(2).normal(0, 1e-3, (20, 4)):
        a, b, x, y = nudge
        assert error(best) < error(best + np.array([[a, -b, x], [b, a, y]]))


def test_mirrored_points_do_not_give_a_mirror() -> None:
    matrix = fit_similarity(POINTS_XY, POINTS_XY * np.array([-1.0, 1.0]))
    assert np.linalg.det(matrix[:, :2]) > 0


def test_a_transform_and_its_inverse_undo_each_other() -> None:
    matrix = turn_and_scale(0.3, 0.2, 7.0, 8.0)
    back = compose(matrix, invert(matrix))
    np.testing.assert_allclose(transform_points(POINTS_XY, back), POINTS_XY)


def test_composing_is_doing_one_after_the_other() -> None:
    first, then = turn_and_scale(0.3, 2.0, 1.0, 2.0), turn_and_scale(-1.0, 0.5, 9.0, 0.0)
    np.testing.assert_allclose(
        transform_points(POINTS_XY, compose(first, then)),
        transform_points(transform_points(POINTS_XY, first), then),
    )


def test_the_scale_does_not_depend_on_the_angle() -> None:
    assert scale_of(turn_and_scale(2.0, 3.0, 0.0, 0.0)) == pytest.approx(3.0)


def test_resizing_keeps_the_edges_of_a_picture() -> None:
    edges_xy = np.array([[-0.5, -0.5], [255.5, 255.5]])
    np.testing.assert_allclose(
        transform_points(edges_xy, resize(256, 1024)), [[-0.5, -0.5], [1023.5, 1023.5]]
    )


def test_no_points_stay_no_points() -> None:
    assert transform_points(np.zeros((0, 2)), resize(1, 2)).shape == (0, 2)


def test_one_point_does_not_make_a_similarity() -> None:
    with pytest.raises(ValueError, match="at least 2 points, got 1"):
        fit_similarity(np.zeros((1, 2)), np.zeros((1, 2)))


def test_points_in_one_place_do_not_make_a_similarity() -> None:
    with pytest.raises(ValueError, match="at least two places"):
        fit_similarity(np.ones((4, 2)), np.zeros((4, 2)))


def test_a_matrix_that_flattens_is_not_inverted() -> None:
    with pytest.raises(ValueError, match="flattens"):
        invert(np.zeros((2, 3)))
