"""Masks: where they are one, where they are zero, and that they move smoothly."""

import numpy as np
import pytest

from megafs_video.geometry.masks import convex_outline, outline_mask, smooth_step
from megafs_video.values import FloatArray


def ellipse(size: int, radius: float = 0.35, shift: float = 0.0) -> FloatArray:
    turns = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    middle = (size - 1) / 2 + shift
    return np.stack(
        [middle + radius * size * np.cos(turns), middle + 0.4 * size * np.sin(turns)], 1
    )


@pytest.mark.parametrize("size", [64, 255, 256])
def test_a_mask_is_one_within_zero_without_and_between_at_the_feather(size: int) -> None:
    mask = outline_mask(ellipse(size), size, feather_pixels=size / 16)
    assert mask.shape == (size, size) and mask.dtype == np.float32
    assert mask[size // 2, size // 2] == 1.0 and mask[2, 2] == 0.0
    assert mask.min() == 0.0 and mask.max() == 1.0
    assert 0 < np.count_nonzero((mask > 0) & (mask < 1)) < mask.size / 2


def test_a_mask_is_half_way_up_in_the_middle_of_the_feather() -> None:
    box_xy = np.array([[20.0, 20.0], [100.0, 20.0], [100.0, 100.0], [20.0, 100.0]])
    mask = outline_mask(box_xy, 128, feather_pixels=10)
    assert mask[60, 25] == pytest.approx(0.5, abs=1e-5)
    assert mask[60, 20] == 0.0 and mask[60, 30] == 1.0


def test_a_face_larger_than_the_crop_still_fades_to_zero_at_its_border() -> None:
    mask = outline_mask(ellipse(64, radius=2.0) * 3 - 64, 64, feather_pixels=8)
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    assert border.max() == 0.0 and mask[32, 32] == 1.0


def test_either_way_round_the_outline_gives_the_same_mask() -> None:
    outline_xy = ellipse(64)
    np.testing.assert_allclose(
        outline_mask(outline_xy, 64, 6),
        outline_mask(outline_xy[::-1], 64, 6),
        atol=1e-5,  # float32 distances of up to 64 pixels
    )


def test_a_hundredth_of_a_pixel_moves_the_mask_a_little_and_not_in_jumps() -> None:
    before = outline_mask(ellipse(128), 128, feather_pixels=8)
    after = outline_mask(ellipse(128, shift=0.01), 128, feather_pixels=8)
    change = np.abs(after - before)
    # The steepest slope of the feather is 1.5 / 8 per pixel.
    assert 0 < change.max() < 0.01 * 1.5 / 8 * 1.5


def test_an_outline_beside_the_crop_gives_an_empty_mask() -> None:
    assert outline_mask(ellipse(64) + 500, 64, 8).max() == 0.0


def test_two_points_are_no_outline() -> None:
    with pytest.raises(ValueError, match="at least 3 points, got 2"):
        outline_mask(np.zeros((2, 2)), 64, 8)


def test_a_mask_without_a_feather_is_refused() -> None:
    with pytest.raises(ValueError, match="feather_pixels is 0, wanted more than 0"):
        outline_mask(ellipse(64), 64, 0)


def test_the_step_is_level_at_both_ends() -> None:
    ramp = np.array([0.0, 1e-3, 1 - 1e-3, 1.0], dtype=np.float32)
    assert np.abs(np.diff(smooth_step(ramp)))[[0, 2]].max() < 1e-5


def test_the_outline_holds_every_point_and_turns_one_way() -> None:
    points_xy = np.random.default_rng(0).normal(0, 10, (100, 2))
    outline_xy = convex_outline(points_xy)
    edges = np.roll(outline_xy, -1, axis=0) - outline_xy
    for start_xy, edge in zip(outline_xy, edges, strict=True):
        to_points = points_xy - start_xy
        assert (edge[0] * to_points[:, 1] - edge[1] * to_points[:, 0]).min() > -1e-4  # float32


def test_points_on_a_line_have_no_outline() -> None:
    with pytest.raises(ValueError, match="on one line"):
        convex_outline(np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]))
    with pytest.raises(ValueError, match="on one line"):
        convex_outline(np.full((5, 2), 3.0))
