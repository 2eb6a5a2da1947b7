"""Windows over a stream are those that the whole clip would give."""

from __future__ import annotations

import numpy as np
import pytest

from megafs_video.pipeline.window import centred_windows
from megafs_video.values import EncodedFace, FrameFaces
from tests.pipeline.fakes import make_encoded, make_frame


@pytest.mark.parametrize("max_frames", [1, 3, 8])
@pytest.mark.parametrize("is_even", [True, False], ids=["constant rate", "variable rate"])
def test_a_window_holds_what_is_near_in_time_and_in_frames(max_frames: int, is_even: bool) -> None:
    chance = np.random.default_rng(0)
    pts = np.arange(40) if is_even else np.cumsum(chance.integers(1, 5, 40))
    tracks = [tuple(np.flatnonzero(chance.random(3) < 0.7)) for _ in pts]
    items = [
        FrameFaces(make_frame(i, pts=int(p)), tuple(make_encoded(int(t)) for t in ids))
        for i, (p, ids) in enumerate(zip(pts, tracks, strict=True))
    ]
    found = list(
        centred_windows(
            iter(items), lambda face: face.track_id, radius_seconds=0.17, max_frames=max_frames
        )
    )
    for index, (item, windows) in enumerate(found):
        assert item is items[index]
        for face, window in zip(item.faces, windows, strict=True):
            near = [
                other
                for other in range(len(pts))
                if abs(other - index) <= max_frames
                and abs(pts[other] - pts[index]) / 30 <= 0.17
                and face.track_id in tracks[other]
            ]
            assert [moment.frame_index for moment in window] == near
            assert {moment.value for moment in window} == {face.track_id}


def test_no_frame_gives_no_window() -> None:
    nothing: list[FrameFaces[EncodedFace]] = []
    assert not list(
        centred_windows(iter(nothing), lambda face: face, radius_seconds=1.0, max_frames=2)
    )
