"""The one thread: order, bound, errors, and that it always ends."""

from __future__ import annotations

import gc
import random
import threading
import time
import traceback
import weakref
from collections.abc import Iterator

import pytest

from megafs_video.pipeline import prefetch
from megafs_video.pipeline.prefetch import Prefetch


def numbers(count: int, log: list[str] | None = None) -> Iterator[int]:
    try:
        yield from range(count)
    finally:
        if log is not None:
            log.append(threading.current_thread().name)


def wait_until(claim: str, condition: object) -> None:
    deadline = time.monotonic() + 5
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, claim
        time.sleep(0.001)


def test_items_come_out_in_order() -> None:
    assert list(Prefetch(3, "n")(numbers(100))) == list(range(100))


def test_no_item_gives_no_item() -> None:
    assert list(Prefetch(1, "n")(numbers(0))) == []


@pytest.mark.parametrize("depth", [0, -1])
def test_a_queue_without_room_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=f"Prefetch.depth is {depth}, wanted at least 1"):
        Prefetch(depth, "n")


def test_it_runs_ahead_as_far_as_its_depth_and_no_further() -> None:
    made: list[int] = []

    def watched() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    stream = Prefetch(4, "n")(watched())
    assert next(stream) == 0
    wait_until("the queue fills up", lambda: len(made) == 1 + 4)
    time.sleep(0.02)
    assert len(made) == 1 + 4
    stream.close()  # type: ignore[attr-defined]


def test_an_error_above_reaches_the_reader_with_its_traceback() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise KeyError("lost frame")

    stream = Prefetch(2, "n")(failing())
    assert next(stream) == 1
    with pytest.raises(KeyError, match="lost frame") as caught:
        next(stream)
    assert "failing" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


def test_items_before_an_error_are_not_lost() -> None:
    def failing() -> Iterator[int]:
        yield from range(5)
        raise KeyError("lost frame")

    stream = Prefetch(8, "n")(failing())
    assert [next(stream) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(KeyError):
        next(stream)


def test_what_is_above_is_closed_in_the_thread_that_ran_it() -> None:
    log: list[str] = []
    stream = Prefetch(2, "decode")(numbers(100, log))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert log == ["prefetch-decode"]


def test_closing_while_the_thread_waits_for_room_does_not_hang() -> None:
    log: list[str] = []
    stream = Prefetch(1, "n")(numbers(100, log))
    next(stream)
    time.sleep(0.02)  # the queue is full by now
    started = time.monotonic()
    stream.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 1
    assert log


def test_an_error_of_the_reader_stops_the_thread() -> None:
    def read() -> None:
        for number in Prefetch(2, "reader")(numbers(100)):
            if number == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read()
    gc.collect()
    assert not [t for t in threading.enumerate() if t.name == "prefetch-reader"]


def test_a_closed_queue_keeps_no_item_alive() -> None:
    class Item:
        pass

    made: list[weakref.ref[Item]] = []

    def items() -> Iterator[Item]:
        for _ in range(100):
            item = Item()
            made.append(weakref.ref(item))
            yield item

    stream = Prefetch(8, "n")(items())
    next(stream)
    wait_until("the queue fills up", lambda: len(made) > 8)
    stream.close()  # type: ignore[attr-defined]
    del stream
    gc.collect()
    assert [item for item in made if item() is not None] == []


def test_a_thread_that_does_not_end_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "JOIN_SECONDS", 0.01)
    is_stuck, is_free = threading.Event(), threading.Event()

    def stuck() -> Iterator[int]:
        yield 1
        is_stuck.set()
        is_free.wait()
        yield 2

    stream = Prefetch(1, "stuck")(stuck())
    next(stream)
    is_stuck.wait()
    with pytest.raises(RuntimeError, match="prefetch-stuck did not end"):
        stream.close()  # type: ignore[attr-defined]
    is_free.set()


def test_it_survives_a_thousand_early_ends() -> None:
    chance = random.Random(0)
    for _ in range(1000):
        length, depth = chance.randrange(12), chance.randrange(1, 5)
        read, fails_at = chance.randrange(14), chance.choice([None, chance.randrange(12)])

        def items(length: int = length, fails_at: int | None = fails_at) -> Iterator[int]:
            for number in range(length):
                if number == fails_at:
                    raise ArithmeticError(number)
                yield number

        log: list[int] = []
        inner = Prefetch(depth, "inner")(items())
        outer = Prefetch(depth, "outer")(inner)
        try:
            for _ in range(read):
                log.append(next(outer))
        except (StopIteration, ArithmeticError):
            pass
        outer.close()  # type: ignore[attr-defined]
        assert log == list(range(len(log)))
    assert not [t for t in threading.enumerate() if t.name.startswith("prefetch-")]
