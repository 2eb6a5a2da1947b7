"""One frame becomes one picture; anything else is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from megafs_video.errors import CodecError, OutputError
from megafs_video.values import Frame
from megafs_video.video.picture import read_picture
from megafs_video.video.still import StillWriter
from tests.clips import numbered_picture

FRAME = Frame(numbered_picture(3), 0, Fraction(1, 25))


def test_the_frame_becomes_the_picture(tmp_path: Path) -> None:
    with StillWriter(tmp_path / "a.png") as writer:
        writer.write(FRAME)
        assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), FRAME.pixels)


def test_a_second_frame_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with (
        pytest.raises(CodecError, match="the target has more than one frame; name a video"),
        StillWriter(tmp_path / "a.png") as writer,
    ):
        writer.write(FRAME)
        writer.write(FRAME)
    assert list(tmp_path.iterdir()) == []


def test_no_frame_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no frame for it"), StillWriter(tmp_path / "a.png"):
        pass


def test_what_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        StillWriter(tmp_path / "a.png")
