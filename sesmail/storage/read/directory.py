"""The read path over a directory: the same store, read by workers so that a slow disk never holds the reactor."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Any, BinaryIO

from sesmail.errors import Unavailable
from sesmail.interfaces import Body
from sesmail.storage.body import MemoryBody
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.read.bodies import IN_MEMORY
from sesmail.storage.store import Loaded, Page, Row, Unchanged

Run = Callable[..., Awaitable[Any]]

_PIECE = 256 * 1024
_PAGE = 1000


class DirectoryReader:
    """See sesmail.storage.store.Reader."""

    def __init__(self, store: DirectoryStore, run: Run) -> None:
        self._store = store
        self._run = run

    async def list(self, prefix: str, *, nested: bool, page: Page) -> None:
        """See Reader.list."""
        rows = self._store.list(prefix, delimiter="" if nested else "/")
        while listed := await self._run(_take, rows):
            page(listed)

    async def folders(self, prefix: str) -> Sequence[str]:
        """See Reader.folders."""

        def folders() -> list[str]:
            return list(self._store.folders(prefix))

        found: list[str] = await self._run(folders)
        return found

    async def open(self, key: str, *, size: int, head: bool = False) -> Body:
        """See Reader.open."""
        data, size, rest = await self._run(self._opened, key)
        return MemoryBody(data) if rest is None else _File(self._run, data, size, rest)

    async def load(self, key: str, *, limit: int, known: str | None = None) -> Loaded | Unchanged:
        """See Reader.load."""

        def load() -> Loaded | Unchanged:
            return self._store.load(key, limit=limit, known=known)

        loaded: Loaded | Unchanged = await self._run(load)
        return loaded

    def _opened(self, key: str) -> tuple[bytes, int, BinaryIO | None]:
        """In a worker: the whole of a small file, or the first piece of a large one and the file."""
        file = self._store.open(key)
        size = os.fstat(file.fileno()).st_size
        if size > IN_MEMORY:
            return _piece(file), size, file
        with file:
            data = file.read(IN_MEMORY + 1)
        if len(data) != size:
            raise Unavailable(cause="a file changed while it was read")
        return data, size, None


class _File:
    """A large message, read a piece at a time."""

    whole = False

    def __init__(self, run: Run, first: bytes, size: int, file: BinaryIO) -> None:
        self.size = size
        self._run = run
        self._first = first
        self._left = size
        self._file = file
        self._reading = False
        self._closed = False

    async def read(self) -> bytes:
        """See Body.read."""
        data, self._first = self._first, b""
        if not data and self._left:
            data = await self._next()
        self._left -= len(data)
        if self._left < 0:
            raise Unavailable(cause="a file grew while it was read")
        return data

    async def _next(self) -> bytes:
        if self._closed:
            raise Unavailable(cause="closed")
        self._reading = True
        try:
            data: bytes = await self._run(_piece, self._file)
        finally:
            self._reading = False
            if self._closed:
                self._file.close()
        if not data:
            raise Unavailable(cause="a file shrank while it was read")
        return data

    def close(self) -> None:
        """See Body.close."""
        self._closed = True
        if not self._reading:
            self._file.close()


def _take(rows: Any) -> list[Row]:
    return list(islice(rows, _PAGE))


def _piece(file: BinaryIO) -> bytes:
    try:
        return file.read(_PIECE)
    except OSError as error:
        raise Unavailable(cause=error) from error
