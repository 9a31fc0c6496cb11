"""Originals whose recipients were only guessed: they wait for a notice that knows all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

from sesmail.delivery.inbox import Inbox
from sesmail.errors import NoSuchMessage, Unavailable

_BATCH = 1000


class Swept:
    """Those of an inbox. Thread-safe, as its store is."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._store = inbox.store

    def key(self, id: str) -> str:
        """Where the message waits."""
        return self._inbox.swept + id

    def expire(self, before: float) -> int:
        """Remove those that wait since before this time (seconds since 1970), and of the records of progress those that nothing needs any
        more. Returns how many messages that were. Raises Unavailable when something of it remains."""
        count = self._removed(self._older(self._inbox.swept, before))
        self._removed(key for key in self._older(self._inbox.progress, before) if not self._is_held(key))
        return count

    def _older(self, prefix: str, before: float) -> Iterator[str]:
        limit = datetime.fromtimestamp(before, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
        return (row.key.decode() for row in self._store.list(prefix, delimiter="/") if row.modified < limit)

    def _is_held(self, progress: str) -> bool:
        try:
            self._store.head(self._inbox.held + progress.removeprefix(self._inbox.progress))
        except NoSuchMessage:
            return False
        return True

    def _removed(self, keys: Iterable[str]) -> int:
        count = 0
        left = iter(keys)
        while batch := list(islice(left, _BATCH)):
            if remaining := self._store.delete(batch):
                raise Unavailable(cause=f"{len(remaining)} objects cannot be removed, such as {next(iter(remaining.items()))}")
            count += len(batch)
        return count
