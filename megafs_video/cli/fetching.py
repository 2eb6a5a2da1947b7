"""Fetch what a verb lacks, after saying what, how large, from where and under which licence."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from megafs_video.cli.models import download_bars
from megafs_video.cli.progress import ProgressKind
from megafs_video.errors import InputNotFoundError


def fetch_missing(model: str, detector: str, *, offline: bool, progress: ProgressKind) -> None:
    """Fetch the model files that a swap needs and that are not in the cache yet.

    InputNotFoundError if there is no such model; OfflineError if files are missing and
    ``offline``; WeightsError if one cannot be fetched.
    """
    from megafs_video.weights.table import GENERATORS

    if model not in GENERATORS and not Path(model).is_dir():
        raise InputNotFoundError(
            f"no model at {model}; give {' or '.join(GENERATORS)}, or a folder with a model"
        )
    fetch_files(needed(model, detector), offline=offline, progress=progress)


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


def needed(model: str, detector: str) -> tuple[str, ...]:
    """Names of the files that a swap needs; a folder may bring a generator of its own."""
    from megafs_video.weights.folder import brings_generator
    from megafs_video.weights.table import GENERATORS, required_for

    if model not in GENERATORS and brings_generator(Path(model)):
        return (detector, "face-mesh", "arcface-mbf")
    return required_for(model if model in GENERATORS else "mobile", detector)


def announce_line(line: str) -> None:
    """Say a line on stderr."""
    print(line, file=sys.stderr)


def announce_json(line: str) -> None:
    """Say a line on stderr where a program expects one JSON object a line."""
    print(json.dumps({"message": line}), file=sys.stderr, flush=True)
