"""Squares: to a matrix and back."""

import numpy as np
import pytest

from megafs_video.geometry.similarity import transform_points
from megafs_video.geometry.squares import Square

TILTED = Square(center_x=300.0, center_y=200.0, side=150.0, angle=0.4)


def test_the_corners_of_a_square_are_the_corners_of_its_crop() -> None:
    corners_xy = transform_points(TILTED.corners_xy, TILTED.frame_to_crop(64))
    np.testing.assert_allclose(
        corners_xy, [[-0.5, -0.5], [-0.5, 63.5], [63.5, 63.5], [63.5, -0.5]], atol=1e-9
    )


@pytest.mark.parametrize("angle", [0.0, 1.0, -1.0, 3.1])
def test_a_square_is_read_back_from_its_matrix(angle: float) -> None:
    square = Square(-20.0, 7.5, 33.0, angle)
    found = Square.from_matrix(square.frame_to_crop(256), 256)
    assert (found.center_x, found.center_y, found.side, found.angle) == pytest.approx(
        (square.center_x, square.center_y, square.side, square.angle)
    )


@pytest.mark.parametrize("side", [0.0, -1.0, float("nan")])
def test_a_square_without_a_side_is_refused(side: float) -> None:
    with pytest.raises(ValueError, match=r"Square.side is .*, wanted more than 0"):
        Square(0.0, 0.0, side, 0.0)
