"""Two computations at once, each on half of torch's threads.

A network of small steps gains little from a second thread, which it awaits after every step. Two
such networks that do not need each other are faster side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch

A = TypeVar("A")
B = TypeVar("B")


class Halves:
    """Runs pairs of computations in inference mode; with one thread, one after the other."""

    def __init__(self) -> None:
        num_threads = torch.get_num_threads()
        self._pool: ThreadPoolExecutor | None = None
        if num_threads == 1:
            return
        started = Barrier(3)

        def start() -> None:
            torch.set_num_threads(num_threads // 2)
            torch.get_num_threads()  # now, for a thread's first step asks what all have
            started.wait()

        self._pool = ThreadPoolExecutor(2, "half")
        for _ in range(2):
            self._pool.submit(start)
        started.wait()
        torch.set_num_threads(num_threads)  # a thread sets its own number and that of new ones

    def both(self, first: Callable[[], A], second: Callable[[], B]) -> tuple[A, B]:
        """What both return; the error of either, as it is."""
        with torch.inference_mode():
            if self._pool is None:
                return first(), second()
            one = self._pool.submit(torch.inference_mode()(first))
            other = self._pool.submit(torch.inference_mode()(second))
            return one.result(), other.result()
