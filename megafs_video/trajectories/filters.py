"""What a filter over time is, and how one track streams through it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from megafs_video.values import FloatArray, check_shape


@dataclass(frozen=True, eq=False)
class Sample:
    """What was measured at one moment of a track."""

    seconds: float
    value: FloatArray  # [D], of the same D all along a track
    confidence: float = 1.0  # more than 0, at most 1
    unit: FloatArray | float = 1.0  # [D] or one number: the change that counts as 1 in a speed

    def __post_init__(self) -> None:
        check_shape("Sample.value", self.value, (None,))
        if not 0 < self.confidence <= 1:
            raise ValueError(f"Sample.confidence is {self.confidence}, wanted above 0, at most 1")


class Timed(Protocol):
    """What a filter remembers of one sample."""

    @property
    def seconds(self) -> float:
        """When the sample was taken."""
        ...


S = TypeVar("S", bound=Timed)


class Filter(Protocol[S]):
    """A filter goes forwards once, sample by sample, and then looks around each of them.

    All that it knows of a sample and of those before it is in the sample's state. A filter
    that only weighs samples has them as states; a recursive one keeps its recursion there.
    Times may be any distance apart.
    """

    @property
    def lookback_seconds(self) -> float:
        """How far before a sample ``estimate`` looks; 0 if the state says it all."""
        ...

    @property
    def lookahead_seconds(self) -> float:
        """How far behind a sample ``estimate`` looks: the delay; 0 is causal."""
        ...

    def advance(self, before: S | None, sample: Sample) -> S:
        """The state at a sample, given that at the one before; None begins a track."""
        ...

    def estimate(self, states: Sequence[S], centre: int) -> FloatArray:
        """The smooth value [D] at ``states[centre]``, from consecutive states about it."""
        ...


class Trajectory(Generic[S]):
    """One track on its way through a filter: samples go in as they come, values come out.

    Each sample is popped once, in order, when all within ``filter.lookahead_seconds`` behind it
    have been pushed or the track is over. Popped earlier, it does with what is there. At most
    ``max_samples`` (at least 1) to each side count, and twice as many are remembered, however
    long the track is.
    """

    def __init__(self, filter: Filter[S], max_samples: int, history: Sequence[S] = ()) -> None:
        if max_samples < 1:
            raise ValueError(f"max_samples is {max_samples}, wanted at least 1")
        self._filter = filter
        self._max_samples = max_samples
        self._states: deque[S] = deque(history)
        self._next = len(self._states)  # the oldest state that was not popped

    def history(self) -> tuple[S, ...]:
        """All that later samples may need of those so far: made with it, a trajectory goes on.

        Samples that were not popped yet will not be popped there: they are taken as popped.
        """
        return tuple(self._states)[-self._max_samples :]

    def push(self, sample: Sample) -> None:
        """Take the next sample; ValueError if it is older than the last."""
        before = self._states[-1] if self._states else None
        if before is not None and sample.seconds < before.seconds:
            raise ValueError(f"a sample at {sample.seconds} s follows one at {before.seconds} s")
        self._states.append(self._filter.advance(before, sample))

    def pop(self) -> FloatArray:
        """The smooth value [D] of the oldest sample that was not popped; IndexError if none."""
        centre = self._states[self._next]
        earliest = centre.seconds - self._filter.lookback_seconds
        latest = centre.seconds + self._filter.lookahead_seconds
        near = range(
            max(0, self._next - self._max_samples),
            min(len(self._states), self._next + self._max_samples + 1),
        )
        inside = [
            index
            for index in near
            if index == self._next or earliest <= self._states[index].seconds <= latest
        ]
        window = [self._states[index] for index in inside]
        value = self._filter.estimate(window, inside.index(self._next))
        self._next += 1
        if self._next > self._max_samples:
            self._states.popleft()
            self._next -= 1
        return value
