"""Framing: faces come back in pixels of the picture, whatever the detector was shown."""

import numpy as np
import pytest

from megafs_video.faces.framing import detect_framed, moved, pad_by_half, scaled, shrink
from megafs_video.values import Face, UInt8Array

WHITE = 255


def face_at(box: list[float], score: float = 0.9) -> Face:
    box_xyxy = np.array(box)
    return Face(box_xyxy, np.tile(box_xyxy[:2], (5, 1)), score)


def picture_with_block(height: int, width: int, box: list[int]) -> UInt8Array:
    """Black, with a white block that the detectors of these tests take for a face."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    left, top, right, bottom = box
    pixels[top:bottom, left:right] = WHITE
    return pixels


def detect_block(pixels: UInt8Array, size: int) -> list[Face]:
    """The white block, edges between pixels, unless it touches the picture's border."""
    assert max(pixels.shape[:2]) <= size
    rows, columns = np.nonzero(pixels[:, :, 0] > WHITE // 2 + 1)
    if len(rows) == 0:
        return []
    box = [columns.min() - 0.5, rows.min() - 0.5, columns.max() + 0.5, rows.max() + 0.5]
    touches = min(rows.min(), columns.min()) == 0 or columns.max() == pixels.shape[1] - 1
    return [] if touches else [face_at([float(edge) for edge in box])]


@pytest.mark.parametrize("shrinking", [1, 4])
def test_a_face_is_found_where_it_is_at_any_size(shrinking: int) -> None:
    pixels = picture_with_block(240, 320, [64, 80, 128, 160])
    (face,) = detect_framed(detect_block, pixels, 320 // shrinking)
    np.testing.assert_allclose(face.box_xyxy, [63.5, 79.5, 127.5, 159.5])


def test_a_face_that_fills_the_picture_is_found_in_its_padding() -> None:
    pixels = picture_with_block(160, 160, [0, 0, 160, 160])
    (face,) = detect_framed(detect_block, pixels, 640)
    np.testing.assert_allclose(face.box_xyxy, [-0.5, -0.5, 159.5, 159.5])


def test_a_face_seen_both_ways_counts_once() -> None:
    pixels = picture_with_block(160, 160, [20, 20, 140, 140])
    assert len(detect_framed(detect_block, pixels, 160)) == 1


def test_a_small_face_in_the_padded_picture_does_not_count() -> None:
    def detect_padded_only(pixels: UInt8Array, size: int) -> list[Face]:
        return [] if pixels.shape[1] > 80 else [face_at([30, 30, 34, 34])]

    assert detect_framed(detect_padded_only, picture_with_block(160, 160, [0, 0, 1, 1]), 160) == []


def test_the_most_certain_face_comes_first() -> None:
    def detect_two(pixels: UInt8Array, size: int) -> list[Face]:
        return [face_at([0, 0, 9, 9], 0.6), face_at([20, 0, 29, 9], 0.8)]

    scores = [face.score for face in detect_framed(detect_two, np.zeros((99, 99, 3), np.uint8), 99)]
    assert scores == sorted(scores, reverse=True) and 0.8 in scores


def test_a_picture_that_fits_is_not_touched() -> None:
    pixels = picture_with_block(20, 30, [1, 1, 2, 2])
    shrunk, factor = shrink(pixels, 30)
    assert shrunk is pixels and factor == 1.0


def test_padding_puts_the_picture_in_the_middle() -> None:
    pixels = picture_with_block(5, 7, [0, 0, 7, 5])
    padded, (left, top) = pad_by_half(pixels)
    assert padded.shape == (11, 15, 3) and (left, top) == (4, 3)
    np.testing.assert_array_equal(padded[top : top + 5, left : left + 7], pixels)


def test_moving_and_scaling_take_the_landmarks_along() -> None:
    face = scaled(moved(face_at([1, 2, 3, 4]), 10, 20), 2.0)
    np.testing.assert_allclose(face.box_xyxy, [22.5, 44.5, 26.5, 48.5])
    np.testing.assert_allclose(face.landmarks_xy[0], face.box_xyxy[:2])


def test_a_grey_picture_of_two_axes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"pixels has shape \[9, 9\]"):
        detect_framed(detect_block, np.zeros((9, 9), np.uint8), 99)
