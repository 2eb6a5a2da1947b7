"""The contract of a stage, the chain that joins stages, and the clock that watches them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from time import perf_counter
from typing import Any, Protocol, TypeVar

from megafs_video.pipeline.prefetch import Prefetch, close

A_contra = TypeVar("A_contra", contravariant=True)
B_co = TypeVar("B_co", covariant=True)


class Stage(Protocol[A_contra, B_co]):
    """A callable from iterator to generator: one item out per item in, in order.

    State lives in the call. What a stage held back it yields after its loop: no flush.
    """

    @property
    def lookahead(self) -> int:
        """Most items it reads beyond the one it yields next, 0 or more."""
        ...

    def __call__(self, items: Iterator[A_contra], /) -> Iterator[B_co]: ...


class StageClock:
    """Seconds spent inside each stage itself, without waiting for what lies above it."""

    def __init__(self) -> None:
        self._streams: list[_Stream] = []
        self._added: dict[str, float] = {}

    def add(self, name: str, seconds: float) -> None:
        """Count seconds that were measured elsewhere."""
        self._added[name] = self._added.get(name, 0.0) + seconds

    def seconds(self) -> dict[str, float]:
        """Seconds per stage, in the order of the stages; those of one name add up.

        ``Prefetch`` is left out: it only waits. Stages on its two sides overlap, so the sum may
        exceed the wall time.
        """
        found: dict[str, float] = {}
        for stream in self._streams:
            if not stream.is_queue:
                found[stream.name] = found.get(stream.name, 0.0) + stream.own_seconds
        for name, seconds in self._added.items():
            found[name] = found.get(name, 0.0) + seconds
        return found

    def watch(self, stream: _Stream) -> None:
        """Count what a stream of ``chain`` measures."""
        self._streams.append(stream)


class _Stream(Iterator[Any]):
    """What leaves a stage: knows how long it took to make, and how to close all above it.

    Each stream is read by one thread only, so no counter needs a lock.
    """

    def __init__(
        self, name: str, items: Iterator[Any], above: _Stream | None, is_queue: bool
    ) -> None:
        self.name = name
        self.is_queue = is_queue
        self._items = items
        self._above = above
        self._seconds = 0.0  # with everything above, up to the nearest queue

    def __next__(self) -> Any:
        started = perf_counter()
        try:
            return next(self._items)
        finally:
            self._seconds += perf_counter() - started

    @property
    def own_seconds(self) -> float:
        """Seconds inside this stage alone."""
        return self._seconds - (self._above._seconds if self._above else 0.0)

    def close(self) -> None:
        """Close the stage, then all above it; above a queue its own thread has done so."""
        try:
            close(self._items)
        finally:
            if self._above is not None:
                self._above.close()


def chain(
    stages: Sequence[Stage[Any, Any]],
    items: Iterable[Any],
    clock: StageClock | None = None,
    *,
    source_name: str = "decode",
) -> Generator[Any, None, None]:
    """Send items through stages; whichever way it ends, every stage and ``items`` are closed.

    ``clock`` measures ``items`` under ``source_name`` and each stage under its class's name in
    small letters.

    >>> from megafs_video.pipeline.prefetch import Prefetch
    >>> list(chain([Prefetch(2, "a"), Prefetch(1, "b")], range(3)))
    [0, 1, 2]
    """
    clock = clock or StageClock()
    stream = _Stream(source_name, iter(items), None, is_queue=False)
    clock.watch(stream)
    for stage in stages:
        name = type(stage).__name__.lower()
        stream = _Stream(name, iter(stage(stream)), stream, isinstance(stage, Prefetch))
        clock.watch(stream)
    try:
        yield from stream
    finally:
        stream.close()
