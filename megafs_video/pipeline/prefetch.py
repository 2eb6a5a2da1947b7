"""The only thread and the only queue of the pipeline: what lies above it runs ahead, bounded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

# A reader that waits without a bound cannot be interrupted (Ctrl-C) on every platform.
POLL_SECONDS = 0.5
# A thread stops after the call it is in: one batch through the networks, at the very most.
JOIN_SECONDS = 120.0


@dataclass(frozen=True)
class Prefetch:
    """Stage that lets everything above it run in a thread of its own, ``depth`` items ahead.

    An error above is raised here, with its traceback. Closing early stops the thread, closes
    what is above in the thread that runs it, and waits for it; RuntimeError if it does not end
    within ``JOIN_SECONDS``.

    >>> list(Prefetch(2, "numbers")(iter(range(5))))
    [0, 1, 2, 3, 4]
    """

    depth: int  # items made and not yet taken, at least 1
    name: str  # of the thread

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise ValueError(f"Prefetch.depth is {self.depth}, wanted at least 1")

    @property
    def lookahead(self) -> int:
        """Items that may be read before the current one is taken."""
        return self.depth

    def __call__(self, items: Iterator[T]) -> Iterator[T]:
        queue: SimpleQueue[T | _Ending] = SimpleQueue()
        slots = threading.Semaphore(self.depth)  # the bound: a slot is held from next() to get()
        stop = threading.Event()
        thread = threading.Thread(
            target=_produce,
            args=(items, queue, slots, stop),
            name=f"prefetch-{self.name}",
            daemon=True,
        )
        thread.start()
        try:
            while True:
                item = _take(queue)
                if isinstance(item, _Ending):
                    item.raise_error()
                    return
                slots.release()
                yield item
        finally:
            stop.set()
            slots.release()  # wakes a thread that waits for room
            thread.join(JOIN_SECONDS)
            if thread.is_alive():
                raise RuntimeError(f"thread {thread.name} did not end in {JOIN_SECONDS:.0f} s")


@dataclass(eq=False)
class _Ending:
    """The last thing in the queue: nothing more comes, or this error."""

    error: BaseException | None = None

    def raise_error(self) -> None:
        error, self.error = self.error, None  # no cycle error -> traceback -> frame -> error
        try:
            if error is not None:
                raise error
        finally:
            del error


def _produce(
    items: Iterator[T],
    queue: SimpleQueue[T | _Ending],
    slots: threading.Semaphore,
    stop: threading.Event,
) -> None:
    ending = _Ending()
    try:
        try:
            slots.acquire()
            for item in items:
                queue.put(item)
                del item  # the queue holds it now; do not keep a frame alive while waiting
                slots.acquire()
                if stop.is_set():
                    break
        finally:
            close(items)
    # Everything is relayed, whatever it is: an error that ends with its thread is lost.
    except BaseException as error:
        ending.error = error
    queue.put(ending)  # never blocks: the queue itself has no bound, the slots do


def _take(queue: SimpleQueue[T]) -> T:
    while True:
        try:
            return queue.get(timeout=POLL_SECONDS)
        except Empty:
            continue


def close(items: Any) -> None:
    """Close a generator; anything that cannot be closed is left alone."""
    if hasattr(items, "close"):
        items.close()
