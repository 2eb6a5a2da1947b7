"""Two people who cross are never mixed up, and are known again behind a cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.crossing import BEHIND, FRONT, play, watch
from megafs_video.faces.mesh import build_mesh
from megafs_video.faces.recognize import build_arcface
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.video.picture import read_picture
from megafs_video.video.read import read_frames
from tests.faces.conftest import cached

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.e2e
def test_people_who_cross_leave_and_return_are_never_mixed_up() -> None:
    detector, recognizer = build_scrfd(cached("scrfd")), build_arcface(cached("arcface-mbf"))
    # Two people whom a generator made: one speaks, the other is a photograph.
    clips = [
        [frame.pixels for frame in read_frames(EXAMPLES / "target.mp4")],
        [read_picture(EXAMPLES / "source.jpg")],
    ]
    with build_mesh(cached("face-mesh")) as mesh:
        figures, tracks, _ = watch(play(12), clips, detector, mesh, recognizer)
    for part in figures.values():
        assert (part.mixed_up, part.wrong_source, part.no_source) == (0, 0, 0)
        assert part.faces_found == part.faces_to_see > 12
        assert part.over_another <= 1  # a sliver of the one behind is seen
    assert not tracks[0, FRONT] & tracks[1, FRONT]
    assert not tracks[0, BEHIND] & tracks[1, BEHIND]
    assert len(tracks[0, FRONT]) == len(tracks[1, FRONT]) == 1
