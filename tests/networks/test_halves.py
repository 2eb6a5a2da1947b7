"""Two computations at once, and what they may rely on."""

from __future__ import annotations

import gc
import threading

import pytest
import torch

from megafs_video.networks.halves import Halves


def test_both_results_come_back_in_order() -> None:
    assert Halves().both(lambda: 1, lambda: "two") == (1, "two")


def test_the_two_run_at_the_same_time_on_half_of_the_threads_each() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        halves, met = Halves(), threading.Barrier(2, timeout=20)

        def count() -> tuple[int, bool]:
            met.wait()  # neither passes alone
            return torch.get_num_threads(), torch.is_inference_mode_enabled()

        assert halves.both(count, count) == ((2, True), (2, True))
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_one_thread_does_both_itself() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        here = threading.get_ident()
        assert Halves().both(threading.get_ident, threading.get_ident) == (here, here)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("num_threads", [1, 2])
def test_the_error_of_either_is_raised(num_threads: int) -> None:
    def fail() -> int:
        raise ValueError("no face")

    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        halves = Halves()
        for pair in ((fail, lambda: 1), (lambda: 1, fail)):
            with pytest.raises(ValueError, match="no face"):
                halves.both(*pair)
        assert halves.both(lambda: 1, lambda: 2) == (1, 2)
    finally:
        torch.set_num_threads(before)
        del halves
        gc.collect()  # an error's traceback knows them
