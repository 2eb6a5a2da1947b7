"""Where the parts of a face belong: the FFHQ square and the mesh points that span it."""

from __future__ import annotations

from dataclasses import replace
from math import atan2, degrees, hypot

import numpy as np

from megafs_video.geometry.squares import Square
from megafs_video.values import FloatArray, check_shape

NUM_MESH_POINTS = 478
"""MediaPipe's face mesh with both irises."""

# The six points of each eye that dlib's 68-point model also has, and the corners of the mouth.
# Left and right are those of the picture.
LEFT_EYE = (33, 160, 158, 133, 153, 144)
RIGHT_EYE = (362, 385, 387, 263, 373, 380)
MOUTH_CORNERS = (61, 291)

FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288),
    *(397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136),
    *(172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""The outline of the face from the top of the forehead, clockwise in the picture."""

NOSE_TIP = 1
FACE_SIDES = (234, 454)
"""The outline beside the left and the right ear of the picture."""

FFHQ_EYES_XY = np.array([[0.37, 0.47], [0.63, 0.47]])
"""The usual place of the two eyes in an FFHQ crop, as fractions of its side."""

MESH_TO_DLIB = 1.008
"""FFHQ was cut with dlib's points; over 488 of its photographs the mesh's square came out this
much too small. Its centre was off by (0.12, -0.16) pixels of 256 and its angle by -0.05 degrees,
which is left as it is."""


def ffhq_square(
    left_eye_xy: FloatArray,
    right_eye_xy: FloatArray,
    left_mouth_xy: FloatArray,
    right_mouth_xy: FloatArray,
) -> Square:
    """The square that the published FFHQ recipe cuts out of a photograph.

    Takes the centres of both eyes and the corners of the mouth, each [2], in pixels of the
    frame; left and right are those of the picture. ValueError when all points coincide.

    >>> eyes_and_mouth = [[95.0, 120.0], [161.0, 120.0], [105.0, 190.0], [151.0, 190.0]]
    >>> square = ffhq_square(*(np.array(point) for point in eyes_and_mouth))
    >>> square.center_x, square.center_y, square.side, square.angle
    (128.0, 127.0, 264.0, 0.0)
    """
    eye_xy = (left_eye_xy + right_eye_xy) / 2
    eye_to_eye = right_eye_xy - left_eye_xy
    eye_to_mouth = (left_mouth_xy + right_mouth_xy) / 2 - eye_xy
    # Across the face: the line of the eyes and the upright of the face, each turned level.
    across_x = float(eye_to_eye[0] + eye_to_mouth[1])
    across_y = float(eye_to_eye[1] - eye_to_mouth[0])
    half_side = max(2.0 * hypot(*eye_to_eye), 1.8 * hypot(*eye_to_mouth))
    center_xy = eye_xy + 0.1 * eye_to_mouth
    return Square(
        float(center_xy[0]), float(center_xy[1]), 2 * half_side, atan2(across_y, across_x)
    )


# How far the tip of the nose lies before the line between the sides of the face, as a part of
# half that line. By the fit to MediaPipe's own head poses of 382 photographs, whose tangents
# correlate with those of ``mesh_yaw_degrees`` by 0.995.
_NOSE_LENGTH = 1.69


def mesh_yaw_degrees(mesh_xy: FloatArray) -> float:
    """How far a head is turned, -90 (to the left of the picture) to 90, from its mesh [478, 2].

    In a head that turns by an angle a, the tip of the nose leaves the middle of the face's sides by
    the sine of a, and the sides come together by its cosine.
    """
    check_shape("mesh_xy", mesh_xy, (NUM_MESH_POINTS, 2))
    left_xy, right_xy = mesh_xy[FACE_SIDES[0]], mesh_xy[FACE_SIDES[1]]
    across_xy = right_xy - left_xy
    nose_xy = mesh_xy[NOSE_TIP] - (left_xy + right_xy) / 2
    half_width = hypot(*across_xy) / 2
    sideways = float(nose_xy @ across_xy) / (2 * half_width) if half_width > 0 else 0.0
    return degrees(atan2(sideways / _NOSE_LENGTH, half_width))


def mesh_square(mesh_xy: FloatArray) -> Square:
    """The FFHQ square of a face from its mesh [478, 2], in pixels of the frame."""
    check_shape("mesh_xy", mesh_xy, (NUM_MESH_POINTS, 2))
    left_mouth, right_mouth = MOUTH_CORNERS
    square = ffhq_square(
        mesh_xy[list(LEFT_EYE)].mean(axis=0),
        mesh_xy[list(RIGHT_EYE)].mean(axis=0),
        mesh_xy[left_mouth],
        mesh_xy[right_mouth],
    )
    return replace(square, side=square.side * MESH_TO_DLIB)
