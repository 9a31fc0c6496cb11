"""Runs coroutines that wait for nothing but `pause`, and reads a blocking store as a reader would."""

from __future__ import annotations

import itertools
from collections.abc import Coroutine, Generator, Iterator, Sequence
from typing import Any, TypeVar

from sesmail.interfaces import Body
from sesmail.storage.body import MemoryBody
from sesmail.storage.store import Loaded, Page, Row, Store, Unchanged

T = TypeVar("T")


class Yield:
    """Awaited once, it hands control to the driver."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def pause() -> None:
    """Let the driver have its turn."""
    await Yield()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Drive to the end."""
    while True:
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def steps(coroutine: Coroutine[Any, Any, object]) -> Iterator[None]:
    """Drive one step at a time."""
    while True:
        try:
            coroutine.send(None)
        except StopIteration:
            return
        yield


class StoreReader:
    """A reader over a blocking store; counts what it was asked."""

    def __init__(self, store: Store, page: int = 7) -> None:
        self.store = store
        self.listed: list[str] = []
        self.looked: list[str] = []
        self._page = page

    async def list(self, prefix: str, *, nested: bool, page: Page) -> None:
        self.listed.append(prefix)
        rows: Iterator[Row] = iter(self.store.list(prefix, delimiter="" if nested else "/"))
        while some := list(itertools.islice(rows, self._page)):
            page(some)
            await pause()

    async def folders(self, prefix: str) -> Sequence[str]:
        self.looked.append(prefix)
        return list(self.store.folders(prefix))

    async def open(self, key: str, *, size: int, head: bool = False) -> Body:
        return MemoryBody((await self.load(key, limit=1 << 30)).data)  # type: ignore[union-attr]

    async def load(self, key: str, *, limit: int, known: str | None = None) -> Loaded | Unchanged:
        return self.store.load(key, limit=limit, known=known)


class Person:
    """A client as a lock sees one."""

    def __init__(self, peer: str = "192.0.2.1", *, quiet: float = 0.0, marks: bool = False) -> None:
        self.peer = peer
        self.protocol = "pop3"
        self.quiet = quiet
        self.marks = marks

    def quiet_for(self) -> float:
        return self.quiet

    def has_marks(self) -> bool:
        return self.marks
