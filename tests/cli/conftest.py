"""Files to run the verbs on."""

from __future__ import annotations

from pathlib import Path

import pytest

from megafs_video.video.picture import write_picture
from tests.pipeline.fakes import draw, write_clip

NUM_FRAMES = 12  # at 30 frames a second


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a source picture of one face and a target clip of one walking face."""
    write_picture(tmp_path / "source.png", draw([(80, 60, 220)]))
    walk = [draw([(50 + 3 * index, 60, 180)]) for index in range(NUM_FRAMES)]
    write_clip(tmp_path / "target.mp4", walk)
    return tmp_path
