"""Clips that several tests of this room read; made once."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests.clips import make_clip, variable_pts

MILLISECOND = Fraction(1, 1000)


@pytest.fixture(scope="session")
def constant_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames at 25 a second, with B-frames and sound."""
    return make_clip(tmp_path_factory.mktemp("clips") / "constant.mp4", 60, has_sound=True)


@pytest.fixture(scope="session")
def variable_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames with uneven gaps, with B-frames and sound."""
    return make_clip(
        tmp_path_factory.mktemp("clips") / "variable.mp4",
        pts=variable_pts(60),
        num_frames=60,
        time_base=MILLISECOND,
        has_sound=True,
    )
