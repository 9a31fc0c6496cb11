"""The files of the page: read once, told apart by what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from sesmail.web.answers import Answer, Head

INDEX = "index.html"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True)
class Asset:
    """One file. `etag` is that of RFC 9110 section 8.8.3, quotes and all."""

    type: str
    etag: str
    octets: bytes = field(repr=False)

    def answer(self, head: Head) -> Answer:
        """The file, unless the client says that it has it. It may keep it, and must ask before it uses it: there may be another one."""
        headers = (("ETag", self.etag), ("Cache-Control", "no-cache"))
        if self._is_had(head):
            return Answer(304, headers)
        return Answer(200, (*headers, ("Content-Type", self.type)), body=self.octets)

    def _is_had(self, head: Head) -> bool:
        said = b",".join(head.headers.getRawHeaders(b"if-none-match", [])).decode("latin-1")
        return any(one.strip().removeprefix("W/") in ("*", self.etag) for one in said.split(","))


def read(folder: Traversable) -> dict[str, Asset]:
    """All files of a folder and its folders whose kind is known, by their path in it; INDEX is that of the path ``""``."""
    return {"" if path == INDEX else path: _asset(path, file.read_bytes()) for path, file in _files(folder)}


def _files(folder: Traversable, before: str = "") -> Iterator[tuple[str, Traversable]]:
    for one in folder.iterdir() if folder.is_dir() else ():
        path = f"{before}{one.name}"
        if one.is_dir():
            yield from _files(one, f"{path}/")
        elif PurePosixPath(path).suffix in _TYPES:
            yield path, one


def _asset(path: str, octets: bytes) -> Asset:
    return Asset(_TYPES[PurePosixPath(path).suffix], f'"{hashlib.sha256(octets).hexdigest()[:32]}"', octets)
