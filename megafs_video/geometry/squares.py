"""An oriented square in a frame: the place of a crop as centre, side and angle."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, exp, hypot, log, remainder, sin, tau

import numpy as np

from megafs_video.values import FloatArray, check_shape


@dataclass(frozen=True)
class Square:
    """Where a square crop lies in the frame; what a smooth crop is smooth in."""

    center_x: float  # pixels of the frame
    center_y: float
    side: float  # pixels of the frame, more than 0
    angle: float  # radians from the frame's x axis to the crop's, clockwise as y goes down

    def __post_init__(self) -> None:
        if not self.side > 0:
            raise ValueError(f"Square.side is {self.side}, wanted more than 0")

    @property
    def corners_xy(self) -> FloatArray:
        """Top left, bottom left, bottom right, top right of the crop, [4, 2] in the frame."""
        right = np.array([cos(self.angle), sin(self.angle)]) * self.side / 2
        down = np.array([-right[1], right[0]])
        center = np.array([self.center_x, self.center_y])
        return np.stack(
            [
                center + offset
                for offset in (-right - down, -right + down, right + down, right - down)
            ]
        )

    def frame_to_crop(self, crop_size: int) -> FloatArray:
        """The [2, 3] transform whose crop of ``crop_size`` pixels shows exactly this square.

        The centre lands between the middle pixels, since pixel centres are whole numbers.

        >>> Square(127.5, 127.5, 256.0, 0.0).frame_to_crop(256) + 0.0
        array([[1., 0., 0.],
               [0., 1., 0.]])
        """
        scale, middle = crop_size / self.side, (crop_size - 1) / 2
        a, b = scale * cos(self.angle), scale * sin(self.angle)
        shift_x = middle - (a * self.center_x + b * self.center_y)
        shift_y = middle - (a * self.center_y - b * self.center_x)
        return np.array([[a, b, shift_x], [-b, a, shift_y]])

    @staticmethod
    def from_matrix(frame_to_crop: FloatArray, crop_size: int) -> Square:
        """The square that ``frame_to_crop`` shows in a crop of ``crop_size`` pixels.

        >>> square = Square(10.0, 20.0, 99.0, 0.5)
        >>> round(Square.from_matrix(square.frame_to_crop(256), 256).side, 6)
        99.0
        """
        check_shape("frame_to_crop", frame_to_crop, (2, 3))
        turn = frame_to_crop[:, :2]
        scale = hypot(turn[0, 0], turn[0, 1])
        middle = (crop_size - 1) / 2 - frame_to_crop[:, 2]
        center = turn.T @ middle / scale**2
        angle = atan2(turn[0, 1], turn[0, 0])
        return Square(float(center[0]), float(center[1]), crop_size / scale, angle)

    def moved(self, motion: FloatArray) -> Square:
        """Where a similarity [2, 3] of the frame carries it.

        >>> Square(10.0, 0.0, 8.0, 0.0).moved(np.array([[0.0, -2.0, 1.0], [2.0, 0.0, 0.0]])).side
        16.0
        """
        center_xy = motion @ np.array([self.center_x, self.center_y, 1.0])
        grown, turned = hypot(motion[0, 0], motion[1, 0]), atan2(motion[1, 0], motion[0, 0])
        return Square(
            float(center_xy[0]), float(center_xy[1]), self.side * grown, self.angle + turned
        )

    def seen_from(self, anchor: Square) -> FloatArray:
        """Where it lies for whoever rides on another: across and down, log of the size, angle.

        The steps [2] are in sides of the anchor, the angle [1] is at most half a turn: all four
        are 0 for the anchor itself, and change alike fast.
        """
        step = complex(self.center_x - anchor.center_x, self.center_y - anchor.center_y)
        across = step * complex(cos(anchor.angle), -sin(anchor.angle)) / anchor.side
        turn = remainder(self.angle - anchor.angle, tau)
        return np.array([across.real, across.imag, log(self.side / anchor.side), turn])

    @staticmethod
    def placed(values: FloatArray, anchor: Square) -> Square:
        """The square whose ``seen_from(anchor)`` gives the values [4].

        >>> anchor = Square(10.0, 20.0, 99.0, 0.5)
        >>> round(Square.placed(Square(0.0, 8.0, 50.0, 3.0).seen_from(anchor), anchor).center_y, 6)
        8.0
        """
        across, down, log_side, turn = map(float, values)
        step = complex(across, down) * complex(cos(anchor.angle), sin(anchor.angle)) * anchor.side
        return Square(
            anchor.center_x + step.real,
            anchor.center_y + step.imag,
            anchor.side * exp(log_side),
            anchor.angle + turn,
        )
