"""The cache: a file is there whole or not at all."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import platformdirs
import pytest

from megafs_video.errors import WeightsError
from megafs_video.weights.cache import home, is_cached, landing, locked, path_of, verify
from tests.weights.archives import TWIN_BYTES


def put(name: str, content: bytes) -> Path:
    path = path_of(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_variable_chooses_the_folder(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home() == cache
    monkeypatch.delenv("MEGAFS_VIDEO_HOME")
    assert home() == platformdirs.user_cache_path("megafs-video", appauthor=False)


def test_a_whole_file_is_verified(cache: Path) -> None:
    assert not is_cached("net-xml")
    path = put("net-xml", TWIN_BYTES)
    assert is_cached("net-xml")
    assert verify("net-xml") == path


def test_a_missing_file_says_how_to_get_it(cache: Path) -> None:
    with pytest.raises(WeightsError, match=r"net-xml is not in the cache .*models fetch net-xml"):
        verify("net-xml")


def test_one_changed_byte_is_refused(cache: Path) -> None:
    path = put("net-xml", TWIN_BYTES[:-1] + b"!")
    assert is_cached("net-xml")  # the quick look sees the size only
    with pytest.raises(WeightsError, match=f"{path.name} is damaged"):
        verify("net-xml")


def test_a_block_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), landing(path) as file:
        file.write(b"new")
        _ = 1 / 0
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    with (
        pytest.raises(WeightsError, match=r"cannot write to the cache folder .*No space left"),
        landing(tmp_path / "file"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_who_waits_for_a_lock_is_told(cache: Path) -> None:
    lines: list[str] = []
    order: list[str] = []
    waits = threading.Event()

    def say(line: str) -> None:
        lines.append(line)
        waits.set()

    def second() -> None:
        with locked("tiny-1.0", say):
            order.append("second")

    with locked("tiny-1.0", lines.append):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(timeout=10)
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"]
    assert lines == ["another process is fetching tiny-1.0; waiting for it"]
