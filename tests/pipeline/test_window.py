"""Filters over a stream of frames give what they give each track as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from megafs_video.pipeline.window import filtered, lookahead_frames
from megafs_video.trajectories.euro import OneEuro
from megafs_video.trajectories.filters import Sample
from megafs_video.trajectories.fits import Gaussian, SavitzkyGolay
from megafs_video.values import EncodedFace, FrameFaces
from tests.pipeline.fakes import make_encoded, make_frame
from tests.trajectories.streams import streamed

FILTERS = (Gaussian(0.05, 0.17), SavitzkyGolay(0.11), OneEuro(1.0, 4.0))


def value_of(seconds: float, face: EncodedFace) -> Sequence[Sample]:
    """The first number of the codes, for every filter."""
    value = np.atleast_1d(face.latents.styles[0, 0, 0].numpy().astype(np.float64))
    return [Sample(seconds, value)] * len(FILTERS)


@pytest.mark.parametrize("max_frames", [1, 3, 8])
@pytest.mark.parametrize("is_even", [True, False], ids=["constant rate", "variable rate"])
def test_each_track_is_filtered_as_if_it_were_alone(max_frames: int, is_even: bool) -> None:
    chance = np.random.default_rng(0)
    pts = np.arange(40) if is_even else np.cumsum(chance.integers(1, 5, 40))
    # Tracks come, overlap and end; the order of the faces changes.
    tracks = [[t for t in chance.permutation(4) if 5 * t <= i < 5 * t + 22] for i in range(40)]
    values = chance.normal(size=(40, 4)).astype(np.float32).astype(np.float64)
    items = [
        FrameFaces(
            make_frame(i, pts=int(pts[i])),
            tuple(make_encoded(int(t), value=float(values[i, t])) for t in tracks[i]),
        )
        for i in range(40)
    ]
    found = list(filtered(iter(items), value_of, FILTERS, name="test", max_frames=max_frames))
    assert [item for item, _ in found] == items
    for track in range(4):
        shown = np.array([i for i in range(40) if track in tracks[i]])
        for index, each in enumerate(FILTERS):
            smooth = [found[i][1][tracks[i].index(track)][index][0] for i in shown]
            alone = streamed(each, pts[shown] / 30, values[shown, track], max_samples=max_frames)
            inner = slice(None, len(shown) - max_frames)  # where as many frames were ahead
            np.testing.assert_allclose(smooth[inner], alone[inner], atol=1e-12)


def test_no_more_frames_wait_than_the_bound_says() -> None:
    num_read = 0

    def count() -> Iterator[FrameFaces[EncodedFace]]:
        nonlocal num_read
        for index in range(40):
            num_read += 1
            yield FrameFaces(make_frame(index), (make_encoded(0),))

    for given, _ in enumerate(
        filtered(count(), value_of, FILTERS, name="test", max_frames=3), start=1
    ):
        assert num_read <= given + 3


def test_a_causal_filter_holds_nothing_back() -> None:
    items = iter([FrameFaces(make_frame(0), (make_encoded(0),)), FrameFaces(make_frame(1), ())])
    causal = [OneEuro(1.0, 4.0)] * 3
    next(filtered(items, value_of, causal, name="test"))
    assert len(list(items)) == 1
    assert lookahead_frames(causal, 8) == 0
    assert lookahead_frames(FILTERS, 8) == 8


def test_a_track_that_was_away_for_long_begins_anew() -> None:
    def smooth(num_away: int) -> float:
        faces = [(make_encoded(0, value=0.0),), *[()] * num_away, (make_encoded(0, value=1.0),)]
        items = (FrameFaces(make_frame(index), each) for index, each in enumerate(faces))
        *_, (_, ((value,),)) = filtered(
            items,
            lambda s, f: value_of(s, f)[:1],
            [OneEuro(0.1, 0.0)],
            name="test",
            max_frames=3,
        )
        return float(value[0])

    assert smooth(num_away=3) < 0.5
    assert smooth(num_away=4) == 1.0


def test_no_frame_gives_nothing() -> None:
    assert not list(filtered(iter([]), value_of, FILTERS, name="test"))
