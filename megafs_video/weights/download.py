"""Download one archive into a file that survives a failure, so that the next try goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx2
from unearth.fetchers import PyPIClient

from megafs_video.errors import WeightsError
from megafs_video.weights.cache import unwritable
from megafs_video.weights.index import Archive

Report = Callable[[int, int], None]
"""Takes the bytes done and the bytes in all (0 if the server does not say)."""

MAX_BYTES = 2**30
BACKOFF_SECONDS = 0.25  # doubled after each try, as pip does


def download(
    archive: Archive, part: Path, client: PyPIClient, *, retries: int, report: Report
) -> None:
    """Complete ``part``, from where it ends, with what is at the archive's address.

    WeightsError when the network fails ``retries`` times more; ``part`` keeps what came.
    """
    for attempt in range(retries + 1):
        try:
            try:
                _go_on(archive, part, client, report)
            except OSError as error:
                raise unwritable(part.parent, error) from error
            return
        except httpx2.HTTPError as error:
            is_refused = isinstance(error, httpx2.HTTPStatusError) and (
                400 <= error.response.status_code < 500
            )
            if attempt == retries or is_refused:
                kept_mb = part.stat().st_size / 1e6 if part.exists() else 0
                raise WeightsError(
                    f"the download of {archive.shown_url} failed ({_reason(error)}); check the "
                    f"network and run the same command again: it goes on from {kept_mb:.1f} MB"
                ) from error
            time.sleep(BACKOFF_SECONDS * 2**attempt)


def _reason(error: httpx2.HTTPError) -> str:
    # The library's own text would show the address with its password.
    if isinstance(error, httpx2.HTTPStatusError):
        return f"the server answered {error.response.status_code}"
    return str(error) or type(error).__name__


def _go_on(archive: Archive, part: Path, client: PyPIClient, report: Report) -> None:
    """One try: ask for the bytes that ``part`` lacks and append them."""
    part.parent.mkdir(parents=True, exist_ok=True)
    done_bytes = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if done_bytes:
        headers["Range"] = f"bytes={done_bytes}-"
    with client.stream("GET", archive.url, headers=headers) as response:
        start_bytes, total_bytes = _range_of(response)
        if response.status_code == 416:
            if total_bytes == done_bytes:
                return
            # Nothing of that length is there any more: the next try begins anew.
            part.unlink()
            raise httpx2.RemoteProtocolError("the file on the server has changed")
        response.raise_for_status()
        if total_bytes > MAX_BYTES:
            raise WeightsError(f"{archive.shown_url} has {total_bytes} bytes, more than expected")
        if start_bytes not in (0, done_bytes):
            part.unlink()
            raise httpx2.RemoteProtocolError("the server sent another part than was asked for")
        with part.open("ab" if start_bytes else "wb") as file:
            done_bytes = start_bytes
            for chunk in response.iter_raw():
                file.write(chunk)
                done_bytes += len(chunk)
                if done_bytes > MAX_BYTES:
                    raise WeightsError(f"{archive.shown_url} has no end; it is not a package")
                report(done_bytes, total_bytes)
        if total_bytes and done_bytes != total_bytes:
            raise httpx2.RemoteProtocolError(f"{done_bytes} of {total_bytes} bytes came")


def _range_of(response: httpx2.Response) -> tuple[int, int]:
    """Where the body begins in the whole file, and the size of the whole file (0: not said)."""
    if response.status_code in (206, 416):
        said, _, total = response.headers.get("Content-Range", "").rpartition("/")
        start = said.removeprefix("bytes ").partition("-")[0]
        return _whole(start), _whole(total)
    return 0, _whole(response.headers.get("Content-Length", ""))


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0
