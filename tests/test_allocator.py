"""The allocator's setting: it takes where glibc is, and is no error elsewhere."""

from __future__ import annotations

import sys

import pytest

from megafs_video.allocator import keep_freed_memory


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


def test_a_c_library_without_the_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", NoMallopt)
    assert not keep_freed_memory()
