"""What every stage promises, for each stage behind Detect; and the chain that joins them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from megafs_video.geometry.squares import Square
from megafs_video.pipeline.align import Align
from megafs_video.pipeline.blend import Blend
from megafs_video.pipeline.bridge import Bridge
from megafs_video.pipeline.encode import Encode
from megafs_video.pipeline.fade import Fade
from megafs_video.pipeline.generate import Generate
from megafs_video.pipeline.prefetch import Prefetch
from megafs_video.pipeline.profile import PROFILES
from megafs_video.pipeline.select import FaceChoice, Select
from megafs_video.pipeline.smooth import Smooth
from megafs_video.pipeline.stage import Stage, StageClock, chain
from megafs_video.pipeline.steady import Steady
from megafs_video.pipeline.track import Track
from megafs_video.pipeline.transfer import Transfer
from megafs_video.values import Face, FrameFaces, TrackedFace
from tests.faces.fakes import face_in
from tests.pipeline.fakes import (
    CROP_SIZE,
    FACES_PER_FRAME,
    FakeModel,
    Spy,
    make_crop,
    make_encoded,
    make_frame,
    make_latents,
    make_mask,
    make_swapped,
    track_ids,
)

AnyStage = Stage[Any, Any]


def frames_of(make_face: Callable[[int], Any], repeats: int = 1) -> list[FrameFaces[Any]]:
    """Frames with no face, one and several."""
    return [
        FrameFaces(make_frame(index), tuple(make_face(track) for track in range(num_faces)))
        for index, num_faces in enumerate(FACES_PER_FRAME * repeats)
    ]


def make_face(place: int) -> Face:
    """A face that stands beside the others and never moves."""
    return face_in(Square(30.0 + 30.0 * place, 45.0, 24.0, 0.0))


def make_tracked(track_id: int) -> TrackedFace:
    """The same, with a track."""
    return TrackedFace(track_id, make_face(track_id), np.eye(3)[0])


CASES: list[Any] = [
    pytest.param(lambda: Track(max_gap_seconds=0.1), make_face, id="track"),
    pytest.param(lambda: Select(FaceChoice("all")), make_tracked, id="select"),
    pytest.param(
        lambda: Select(FaceChoice("people", people=(np.eye(3)[0],))), make_tracked, id="select-one"
    ),
    pytest.param(lambda: Bridge(0.0), make_tracked, id="bridge-none"),
    pytest.param(Fade, make_tracked, id="fade"),
    pytest.param(lambda: Align(CROP_SIZE), make_tracked, id="align-off"),
    pytest.param(lambda: Align(CROP_SIZE, PROFILES["light"]), make_tracked, id="align-light"),
    pytest.param(lambda: Encode(FakeModel(), 1), make_crop, id="encode-1"),
    pytest.param(lambda: Encode(FakeModel(), 4), make_crop, id="encode-4"),
    pytest.param(
        lambda: Transfer(FakeModel(), (make_latents(0.5),), 3), make_encoded, id="transfer-3"
    ),
    pytest.param(lambda: Smooth(None), make_encoded, id="smooth-off"),
    pytest.param(lambda: Smooth(PROFILES["light"]), make_encoded, id="smooth-light"),
    pytest.param(lambda: Smooth(PROFILES["strong"], 3), make_encoded, id="smooth-strong"),
    pytest.param(
        lambda: Generate(FakeModel(), lambda crop: make_mask(), 2), make_encoded, id="generate-2"
    ),
    pytest.param(lambda: Smooth(PROFILES["one-euro"]), make_encoded, id="smooth-one-euro"),
    pytest.param(lambda: Smooth(PROFILES["kalman"]), make_encoded, id="smooth-kalman"),
    pytest.param(lambda: Steady(None), make_swapped, id="steady-off"),
    pytest.param(lambda: Steady(PROFILES["light"]), make_swapped, id="steady-light"),
    pytest.param(Blend, make_swapped, id="blend"),
    pytest.param(lambda: Blend(PROFILES["light"]), make_swapped, id="blend-light"),
    pytest.param(lambda: Prefetch(1, "one"), make_crop, id="prefetch-1"),
    pytest.param(lambda: Prefetch(5, "five"), make_crop, id="prefetch-5"),
]


@pytest.mark.parametrize(("make_stage", "make_face"), CASES)
class TestEveryStage:
    def test_gives_one_item_per_item_in_order(
        self, make_stage: Callable[[], AnyStage], make_face: Callable[[int], Any]
    ) -> None:
        items = frames_of(make_face)
        found = list(make_stage()(iter(items)))
        assert [item.frame.pts for item in found] == [item.frame.pts for item in items]
        assert [len(item.faces) for item in found] == [len(item.faces) for item in items]
        if not isinstance(items[0].faces[0], Face):  # which has no track yet
            assert track_ids(found) == track_ids(items)

    def test_gives_nothing_for_nothing(
        self, make_stage: Callable[[], AnyStage], make_face: Callable[[int], Any]
    ) -> None:
        assert list(make_stage()(iter([]))) == []

    def test_starts_anew_with_every_call(
        self, make_stage: Callable[[], AnyStage], make_face: Callable[[int], Any]
    ) -> None:
        stage, items = make_stage(), frames_of(make_face)
        assert track_ids(stage(iter(items))) == track_ids(stage(iter(items)))

    def test_reads_no_further_ahead_than_it_says(
        self, make_stage: Callable[[], AnyStage], make_face: Callable[[int], Any]
    ) -> None:
        stage, spy = make_stage(), Spy(frames_of(make_face, 3))
        for num_given, _ in enumerate(chain([stage], spy), start=1):
            assert spy.num_read <= num_given + stage.lookahead

    def test_lets_an_error_above_through_and_closes(
        self, make_stage: Callable[[], AnyStage], make_face: Callable[[int], Any]
    ) -> None:
        spy = Spy(frames_of(make_face), fails_after=5)
        with pytest.raises(ValueError, match="the spy was told to fail"):
            list(chain([make_stage()], spy))
        assert spy.is_closed

    def test_closed_early_closes_what_is_above(
        self, make_stage: Callable[[], AnyStage], make_face: Callable[[int], Any]
    ) -> None:
        spy = Spy(frames_of(make_face, 3))
        stream = chain([Prefetch(2, "above"), make_stage(), Prefetch(2, "below")], spy)
        next(stream)
        stream.close()
        assert spy.is_closed
        assert spy.num_read < len(spy.items)
        assert not [t for t in threading.enumerate() if t.name.startswith("prefetch-")]

    def test_is_stopped_by_ctrl_c(
        self, make_stage: Callable[[], AnyStage], make_face: Callable[[int], Any]
    ) -> None:
        spy = Spy(frames_of(make_face, 3))

        def read() -> None:
            for _ in chain([Prefetch(2, "above"), make_stage()], spy):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            read()
        assert spy.is_closed


class Sleep:
    """Stage that takes its time."""

    lookahead = 0

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, items: Iterator[int]) -> Iterator[int]:
        for item in items:
            time.sleep(self.seconds)
            yield item


class Doze(Sleep):
    """The same under another name."""


class Fail:
    """Stage that breaks on its third item."""

    lookahead = 0

    def __call__(self, items: Iterator[int]) -> Iterator[int]:
        for number, item in enumerate(items):
            if number == 2:
                raise ArithmeticError("broken stage")
            yield item


def test_a_chain_of_nothing_gives_its_items() -> None:
    assert list(chain([], range(3))) == [0, 1, 2]


@pytest.mark.parametrize("queues", [0, 1, 3])
def test_a_failing_stage_closes_everything_and_leaves_no_thread(queues: int) -> None:
    spy = Spy([FrameFaces(make_frame(i), ()) for i in range(50)])
    prefetches = [Prefetch(2, str(number)) for number in range(queues)]
    with pytest.raises(ArithmeticError, match="broken stage"):
        list(chain([*prefetches[:2], Fail(), *prefetches[2:]], spy))
    assert spy.is_closed
    assert not [t for t in threading.enumerate() if t.name.startswith("prefetch-")]


def test_a_chain_that_was_never_read_starts_no_thread() -> None:
    stream = chain([Prefetch(2, "idle")], range(9))
    stream.close()
    assert not [t for t in threading.enumerate() if t.name == "prefetch-idle"]


@pytest.mark.parametrize(
    "stages",
    [
        [Sleep(0.004), Doze(0.008)],
        [Prefetch(2, "a"), Sleep(0.004), Prefetch(2, "b"), Doze(0.008), Prefetch(2, "c")],
    ],
    ids=["one thread", "a thread each"],
)
def test_the_clock_gives_each_stage_its_own_seconds(stages: list[AnyStage]) -> None:
    clock = StageClock()
    list(chain(stages, range(20), clock))
    seconds = clock.seconds()
    assert list(seconds) == ["decode", "sleep", "doze"]
    assert seconds["decode"] < 0.02
    # A sleep is never shorter than asked for; on a busy machine it may be longer. With the other
    # stage's seconds it would be 0.24 at least.
    assert 0.08 <= seconds["sleep"] < 0.23
    assert seconds["doze"] >= 0.16


def test_the_clock_adds_what_was_measured_elsewhere() -> None:
    clock = StageClock()
    clock.add("write", 1.5)
    clock.add("write", 0.5)
    assert clock.seconds() == {"write": 2.0}


def test_the_clock_costs_next_to_nothing() -> None:
    def pass_on(items: Iterator[int]) -> Iterator[int]:
        yield from items

    class Pass:
        lookahead = 0

        def __call__(self, items: Iterator[int]) -> Iterator[int]:
            return pass_on(items)

    started = time.perf_counter()
    list(chain([Pass()] * 10, range(2000), StageClock()))
    # Ten stages cost a frame some 10 µs; a frame takes milliseconds.
    assert (time.perf_counter() - started) / 2000 < 0.001
