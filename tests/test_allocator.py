"""The allocator's setting: it takes where glibc is, and is no error elsewhere."""

from __future__ import annotations

import gc
import subprocess
import sys
from unittest.mock import Mock

import pytest

from megafs_video.allocator import (
    HeapTrimmer,
    give_back_freed_memory,
    keep_freed_memory,
    old_objects_left_alone,
    resident_bytes,
)


class NoMallopt:
    """A C library such as musl's."""

    def __init__(self, name: str | None) -> None:
        pass


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has glibc")
def test_it_may_be_set_again_and_says_the_same() -> None:
    assert keep_freed_memory() == keep_freed_memory()


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert not keep_freed_memory()
    assert not give_back_freed_memory()


def test_a_c_library_without_the_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", NoMallopt)
    assert not keep_freed_memory()
    assert not give_back_freed_memory()


COUNT_FAULTS = """
import ctypes, resource, threading
from megafs_video.allocator import keep_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
assert keep_freed_memory()

def use_large_buffers():
    for _ in range(20):
        buffer = libc.malloc(2**26)
        ctypes.memset(buffer, 1, 2**26)
        libc.free(buffer)

faults_before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
thread = threading.Thread(target=use_large_buffers)
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults_before)
"""


@pytest.mark.skipif(not keep_freed_memory(), reason="only glibc has the setting")
def test_a_thread_reuses_its_large_buffers() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNT_FAULTS], capture_output=True, text=True, check=True
    )
    pages_of_one_buffer = 2**26 // 4096
    assert int(done.stdout) < 2 * pages_of_one_buffer  # 20 times that without the setting


LEAVE_HOLES = """
import numpy as np
from pathlib import Path
from megafs_video.allocator import (
    give_back_freed_memory,
    keep_freed_memory,
    old_objects_left_alone,
)

def resident_bytes():
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1])

assert keep_freed_memory()
kept = []
for _ in range(50):  # 300 MB of large things, and a small one behind each that stays
    kept.append((np.ones(6_000_000, np.uint8), np.ones(5_000, np.uint8)))
kept = [small for _, small in kept]
before = resident_bytes()
assert give_back_freed_memory()
print(before - resident_bytes())
"""


@pytest.mark.skipif(not keep_freed_memory(), reason="only glibc has the setting")
def test_holes_in_the_heap_can_be_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAVE_HOLES], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 250_000_000


class Process:
    """One whose memory is what a test says; what is free in it can be handed back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.used, self.free, self.trims = 100, 0, 0
        monkeypatch.setattr("megafs_video.allocator.resident_bytes", lambda: self.used + self.free)
        monkeypatch.setattr("megafs_video.allocator.give_back_freed_memory", self.give_back)

    def give_back(self) -> bool:
        self.free = 0
        self.trims += 1
        return True


def test_a_heap_is_trimmed_when_the_pipeline_is_full_and_then_when_it_grew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process, trim = Process(monkeypatch), HeapTrimmer()
    assert [trim() for _ in range(30)] == [False] * 29 + [True]
    process.free = 14
    assert not any(trim() for _ in range(50))
    process.free = 16
    assert trim()
    process.free = 90
    assert [trim() for _ in range(10)] == [False] * 9 + [True]


def test_more_memory_in_use_is_no_reason_to_trim_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    process, trim = Process(monkeypatch), HeapTrimmer()
    for _ in range(30):
        trim()
    process.used = 200  # more faces than at first
    for _ in range(100):
        trim()
    assert process.trims == 2
    process.free = 29
    assert not trim()
    process.free = 31
    assert trim()


def test_without_proc_a_heap_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathlib.Path.read_bytes", Mock(side_effect=FileNotFoundError))
    assert resident_bytes() is None
    trim = HeapTrimmer()
    assert not any(trim() for _ in range(100))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc")
def test_memory_in_use_is_counted() -> None:
    before = resident_bytes()
    held = bytearray(b"x" * 50_000_000)
    after = resident_bytes()
    assert before is not None
    assert after is not None
    assert after - before > 40_000_000
    del held


def test_old_objects_are_left_alone_and_new_ones_are_collected() -> None:
    with pytest.raises(ValueError, match="on the way"), old_objects_left_alone():
        num_left = gc.get_freeze_count()
        assert num_left > 1000
        new: list[object] = []
        new.append(new)
        del new
        assert gc.collect() >= 1
        assert gc.get_freeze_count() == num_left
        raise ValueError("on the way")
    assert gc.get_freeze_count() == 0
