"""Fetch what a verb lacks, after saying what, how large, from where and under which licence."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from megafs_video.cli.models import download_bars
from megafs_video.cli.progress import ProgressKind


def fetch_missing(
    model: str, detector: str, reference: Path | None, *, offline: bool, progress: ProgressKind
) -> None:
    """Fetch the model files that a swap needs and that are not in the cache yet.

    OfflineError if there are any and ``offline``; WeightsError if one cannot be fetched.
    """
    fetch_files(needed(model, detector, reference), offline=offline, progress=progress)


def fetch_files(names: Sequence[str], *, offline: bool, progress: ProgressKind) -> None:
    """Fetch those of the named model files that are not in the cache yet; errors as above."""
    from megafs_video.weights.cache import is_cached
    from megafs_video.weights.fetch import fetch

    missing = [name for name in names if not is_cached(name)]
    if not missing:
        return
    if progress is ProgressKind.RICH:
        with download_bars() as (announce, show):
            fetch(missing, offline=offline, announce=announce, progress=show)
    else:
        announce = announce_json if progress is ProgressKind.JSON else announce_line
        fetch(missing, offline=offline, announce=announce)


def needed(model: str, detector: str, reference: Path | None) -> tuple[str, ...]:
    """Names of the files that a swap needs; a model in a folder uses the default's generator."""
    from megafs_video.weights.table import GENERATORS, required_for

    names = required_for(model if model in GENERATORS else "mobile", detector)
    return tuple(dict.fromkeys((*names, *(["arcface-mbf"] if reference else []))))


def announce_line(line: str) -> None:
    """Say a line on stderr."""
    print(line, file=sys.stderr)


def announce_json(line: str) -> None:
    """Say a line on stderr where a program expects one JSON object a line."""
    print(json.dumps({"message": line}), file=sys.stderr, flush=True)
