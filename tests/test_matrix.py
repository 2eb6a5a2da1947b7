"""The matrix of clips is large enough, and its rows come out equal."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import matrix


def test_the_matrix_has_at_least_sixty_different_clips() -> None:
    names = {kind.name for kind in matrix.kinds()}
    assert len(names) == len(list(matrix.kinds())) >= 60


@pytest.mark.parametrize(
    "name",
    [
        ".mp4 h264 yuv422p variable turned rich",
        ".mov prores yuv422p10le constant turned rich",
        ".mkv ffv1 yuv444p10le variable upright rich",
    ],
)
def test_a_clip_of_the_matrix_comes_out_as_it_went_in(tmp_path: Path, name: str) -> None:
    [kind] = [kind for kind in matrix.kinds() if kind.name == name]
    source = matrix.make(kind, tmp_path / f"in{kind.suffix}")
    output = tmp_path / f"out{kind.suffix}"
    assert matrix.swap(kind, source, output)
    assert matrix.times(output) == matrix.times(source)
    assert matrix.packets(output) == matrix.packets(source)
    assert matrix.tags(output) == matrix.tags(source)
