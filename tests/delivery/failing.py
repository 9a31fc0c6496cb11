"""A real store of which any call can be made to fail, before it does anything or after it has done it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from sesmail.errors import Unavailable
from sesmail.storage.store import Aged, Head, Loaded, Row, Store, Unchanged


class FailingStore:
    """See Store. `calls` are all that were made: the method and the key. Call number `fails` (from 0) raises `error`, by default
    Unavailable; with `late` it is done nevertheless, as when an answer is lost. So does every call that is `fails_at`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.calls: list[tuple[str, str]] = []
        self.fails: int | None = None
        self.late = False
        self.fails_at: tuple[str, str] | None = None
        self.error: BaseException | None = None

    def set(self, fails: int | None, *, late: bool = False, error: BaseException | None = None) -> None:
        """From now on; calls are counted anew."""
        self.calls, self.fails, self.late, self.error = [], fails, late, error

    def _asked(self, what: str, key: str) -> None:
        number = len(self.calls)
        self.calls.append((what, key))
        if (number == self.fails and not self.late) or (what, key) == self.fails_at:
            raise self.error or Unavailable(cause=f"call {number}, {what} {key}, was made to fail")

    def _answered(self) -> None:
        if self.late and len(self.calls) - 1 == self.fails:
            raise self.error or Unavailable(cause=f"the answer to call {self.fails} is lost")

    @property
    def keeps_metadata(self) -> bool:
        return self.store.keeps_metadata

    def list(self, prefix: str, *, delimiter: str = "") -> Iterator[Row]:
        self._asked("list", prefix)
        yield from self.store.list(prefix, delimiter=delimiter)

    def folders(self, prefix: str) -> Iterator[str]:
        self._asked("folders", prefix)
        yield from self.store.folders(prefix)

    def load(self, key: str, *, limit: int, known: str | None = None) -> Loaded | Unchanged:
        self._asked("load", key)
        return self.store.load(key, limit=limit, known=known)

    def load_aged(self, key: str, *, limit: int) -> Aged:
        self._asked("load", key)
        return self.store.load_aged(key, limit=limit)

    def head(self, key: str) -> Head:
        self._asked("head", key)
        return self.store.head(key)

    def open(self, key: str, *, match: str | None = None) -> BinaryIO:
        self._asked("open", key)
        return self.store.open(key, match=match)

    def put(
        self,
        key: str,
        data: bytes | BinaryIO,
        *,
        absent: bool = False,
        match: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        self._asked("put", key)
        etag = self.store.put(key, data, absent=absent, match=match, metadata=metadata)
        self._answered()
        return etag

    def copy(
        self,
        source: str,
        key: str,
        *,
        match: str,
        metadata: Mapping[str, str],
        absent: bool = False,
        out_of: Store | None = None,
    ) -> Head | None:
        self._asked("copy", key)
        found = self.store.copy(source, key, match=match, metadata=metadata, absent=absent, out_of=out_of)
        self._answered()
        return found

    def delete(self, keys: Iterable[str]) -> dict[str, str]:
        chosen = list(keys)
        self._asked("delete", chosen[0])
        remaining = self.store.delete(chosen)
        self._answered()
        return remaining
