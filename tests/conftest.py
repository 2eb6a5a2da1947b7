"""What every test may rely on: no thread outlives it, and ``gpu`` means a GPU is there."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

# A thread that was told to stop may need a moment to leave its last queue operation.
GRACE_SECONDS = 2.0


@pytest.fixture(autouse=True)
def no_thread_left_alive() -> Iterator[None]:
    """Fail the test that leaves a thread alive."""
    before = set(threading.enumerate())
    yield
    started = [thread for thread in threading.enumerate() if thread not in before]
    for thread in started:
        thread.join(timeout=GRACE_SECONDS)
    alive = [thread.name for thread in started if thread.is_alive()]
    assert not alive, f"left alive: {', '.join(alive)}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a ``gpu`` test on a machine without CUDA, unless one was promised."""
    if item.get_closest_marker("gpu") is None:
        return
    import torch

    if not torch.cuda.is_available() and os.environ.get("MEGAFS_REQUIRE_GPU") != "1":
        pytest.skip("needs CUDA; MEGAFS_REQUIRE_GPU=1 makes its absence a failure")
