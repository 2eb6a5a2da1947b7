"""A patch is drawn over a part of a picture, and the picture stays."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from megafs_video.values import Frame, Patch, check_shape, patched

PIXELS = np.full((6, 8, 3), 7, np.uint8)
PATCH = Patch(2, 1, np.full((2, 3, 3), 99, np.uint8))


def test_a_frame_shows_its_patch_and_keeps_its_pixels() -> None:
    frame = Frame(PIXELS, 0, Fraction(1, 25), patch=PATCH)
    assert np.all(frame.shown[1:3, 2:5] == 99) and (frame.shown == 99).sum() == 3 * 2 * 3
    assert np.all(frame.pixels == 7)
    assert Frame(PIXELS, 0, Fraction(1, 25)).shown is PIXELS
    assert patched(PIXELS, None) is PIXELS


@pytest.mark.parametrize("patch", [Patch(6, 0, PATCH.pixels), Patch(0, 5, PATCH.pixels)])
def test_a_patch_beyond_the_picture_is_refused(patch: Patch) -> None:
    with pytest.raises(ValueError, match="the part of the picture under a Patch has shape"):
        patched(PIXELS, patch)


def test_a_patch_before_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="Patch begins at -1, 0"):
        Patch(-1, 0, PATCH.pixels)
    with pytest.raises(ValueError, match="wanted uint8"):
        Patch(0, 0, np.zeros((2, 2, 3)))  # type: ignore[arg-type]


def test_a_shape_is_checked_by_size_and_number() -> None:
    check_shape("it", PIXELS, (6, None, 3))
    for wanted in ((6, 8), (6, 8, 4), (None, 9, None)):
        with pytest.raises(ValueError, match=r"it has shape \[6, 8, 3\], wanted"):
            check_shape("it", PIXELS, wanted)
