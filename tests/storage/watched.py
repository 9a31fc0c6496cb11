"""A real store whose clock is the test's, that counts what it is asked and can be made to fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO

from sesmail.errors import MailError, Refused
from sesmail.storage.store import Aged, Head, Loaded, Row, Store, Unchanged


class Watched:
    """See Store. Only writes through it have an age; nothing may be removed."""

    keeps_metadata = False

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = 0.0
        self.asked: list[str] = []
        self.on_load: MailError | None = None
        self.on_put: MailError | None = None
        self.before_put: Callable[[], object] | None = None
        self.loses_answers = False
        self.conditions = True
        self._written: dict[str, float] = {}

    def list(self, prefix: str, *, delimiter: str = "") -> Iterator[Row]:
        return self.store.list(prefix, delimiter=delimiter)

    def folders(self, prefix: str) -> Iterator[str]:
        return self.store.folders(prefix)

    def load(self, key: str, *, limit: int, known: str | None = None) -> Loaded | Unchanged:
        return self.store.load(key, limit=limit, known=known)

    def load_aged(self, key: str, *, limit: int) -> Aged:
        self.asked.append("GET")
        if self.on_load:
            raise self.on_load
        return replace(self.store.load_aged(key, limit=limit), age=self.clock - self._written[key])

    def head(self, key: str) -> Head:
        return self.store.head(key)

    def open(self, key: str, *, match: str | None = None) -> BinaryIO:
        return self.store.open(key, match=match)

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
        return self.store.copy(source, key, match=match, metadata=metadata, absent=absent, out_of=out_of)

    def put(
        self,
        key: str,
        data: bytes | BinaryIO,
        *,
        absent: bool = False,
        match: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        self.asked.append("PUT")
        if self.on_put:
            raise self.on_put
        first, self.before_put = self.before_put, None
        if first:
            first()
        absent, match = (absent, match) if self.conditions else (False, None)
        etag = self.store.put(key, data, absent=absent, match=match, metadata=metadata)
        self._written[key] = self.clock
        if self.loses_answers:
            # As when boto3 sends a request again of which only the answer was lost.
            raise Refused
        return etag

    def delete(self, keys: Iterable[str]) -> dict[str, str]:
        raise AssertionError(f"nobody may remove {list(keys)}")

    def spent(self) -> Sequence[str]:
        """What was asked since the last time."""
        asked, self.asked = self.asked, []
        return asked
