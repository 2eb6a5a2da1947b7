"""Similarity transforms (turn, scale, shift; never a mirror) as [2, 3] matrices.

A matrix is applied to a column (x, y, 1); a name such as ``frame_to_crop`` says where it goes.
Dozens are made for every frame: by plain numbers, in half the time that numpy takes for so few.
"""

from __future__ import annotations

import numpy as np

from megafs_video.values import FloatArray, check_shape


def fit_similarity(from_xy: FloatArray, to_xy: FloatArray) -> FloatArray:
    """The similarity that carries ``from_xy`` to ``to_xy`` with the least squared error.

    Umeyama (1991) in the plane: points are complex numbers, and the best factor is one
    quotient. ValueError: fewer than two points, unequal counts, or all points in one place.

    >>> square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> fit_similarity(square, 2 * square + 3) + 0.0
    array([[2., 0., 3.],
           [0., 2., 3.]])
    """
    check_shape("from_xy", from_xy, (None, 2))
    check_shape("to_xy", to_xy, (len(from_xy), 2))
    if len(from_xy) < 2:
        raise ValueError(f"a similarity needs at least 2 points, got {len(from_xy)}")
    start_xy = from_xy.astype(np.float64)
    goal_xy = to_xy.astype(np.float64)
    start_center_xy, goal_center_xy = start_xy.mean(axis=0), goal_xy.mean(axis=0)
    start = _complex(start_xy - start_center_xy)  # [N]
    goal = _complex(goal_xy - goal_center_xy)  # [N]
    spread = float(np.vdot(start, start).real)
    if spread == 0.0:
        raise ValueError("a similarity needs points in at least two places")
    factor = complex(np.vdot(start, goal)) / spread  # scale · (cos + i sin)
    turn = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return _matrix(turn, goal_center_xy - turn @ start_center_xy)


def invert(matrix: FloatArray) -> FloatArray:
    """The transform back: ``invert(frame_to_crop)`` is crop to frame.

    ValueError when the matrix flattens the plane.

    >>> invert(np.array([[2.0, 0.0, 4.0], [0.0, 2.0, 6.0]])) + 0.0
    array([[ 0.5,  0. , -2. ],
           [ 0. ,  0.5, -3. ]])
    """
    check_shape("matrix", matrix, (2, 3))
    (a, b, x), (c, d, y) = matrix.tolist()
    determinant = a * d - b * c
    if determinant == 0.0:
        raise ValueError("the matrix flattens the plane and cannot be inverted")
    return np.asarray(np.array([[d, -b, b * y - d * x], [-c, a, c * x - a * y]]) / determinant)


def compose(first: FloatArray, then: FloatArray) -> FloatArray:
    """One matrix that does ``first`` and ``then`` the other.

    >>> frame_to_crop = np.array([[2.0, 0.0, 4.0], [0.0, 2.0, 6.0]])
    >>> crop_to_net = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    >>> compose(frame_to_crop, crop_to_net)
    array([[2., 0., 5.],
           [0., 2., 7.]])
    """
    check_shape("first", first, (2, 3))
    check_shape("then", then, (2, 3))
    (a, b, x), (c, d, y) = first.tolist()
    (e, f, z), (g, h, w) = then.tolist()
    return np.array(
        [
            [e * a + f * c, e * b + f * d, e * x + f * y + z],
            [g * a + h * c, g * b + h * d, g * x + h * y + w],
        ]
    )


def transform_points(points_xy: FloatArray, matrix: FloatArray) -> FloatArray:
    """Each point of [K, 2] moved by the matrix.

    >>> transform_points(np.array([[1.0, 2.0]]), np.array([[2.0, 0.0, 4.0], [0.0, 2.0, 6.0]]))
    array([[ 6., 10.]])
    """
    check_shape("points_xy", points_xy, (None, 2))
    check_shape("matrix", matrix, (2, 3))
    return np.asarray(points_xy @ matrix[:, :2].T + matrix[:, 2])


def scale_of(matrix: FloatArray) -> float:
    """How many times longer a line becomes.

    >>> scale_of(np.array([[0.0, -3.0, 1.0], [3.0, 0.0, 1.0]]))
    3.0
    """
    check_shape("matrix", matrix, (2, 3))
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def resize(from_size: int, to_size: int) -> FloatArray:
    """Square picture of ``from_size`` to the same picture at ``to_size``: edges meet edges.

    Pixel centres are whole numbers, so the edge of the first pixel lies at -0.5.

    >>> resize(256, 512)
    array([[2. , 0. , 0.5],
           [0. , 2. , 0.5]])
    """
    if from_size <= 0 or to_size <= 0:
        raise ValueError(f"sizes are {from_size} and {to_size}, wanted positive ones")
    scale = to_size / from_size
    shift = (scale - 1) / 2
    return np.array([[scale, 0.0, shift], [0.0, scale, shift]])


def _matrix(turn: FloatArray, shift_xy: FloatArray) -> FloatArray:
    """Both side by side, [2, 3]."""
    matrix = np.empty((2, 3))  # a quarter of the time of np.column_stack
    matrix[:, :2], matrix[:, 2] = turn, shift_xy
    return matrix


def _complex(points_xy: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.complex128]]:
    return np.asarray(points_xy[:, 0] + 1j * points_xy[:, 1]).reshape(-1)
