"""Removes what lies beside incoming mail and has served: originals that waited for a late notice, and records of messages that are gone."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from sesmail.delivery.inbox import Inbox
from sesmail.delivery.sweep import modified
from sesmail.errors import MailError, NoSuchMessage
from sesmail.log import fate

_log = logging.getLogger(__name__)

# Keys that one request removes.
_BATCH = 1000


class Expiry:
    """Of one inbox: after `keep` seconds by the clock `now` (Unix time), at most `most` objects of each kind at a time."""

    def __init__(self, inbox: Inbox, *, keep: float, now: Callable[[], float], most: int = 10_000) -> None:
        self._inbox = inbox
        self._keep = keep
        self._now = now
        self._most = most

    def run(self) -> Mapping[str, int]:
        """Remove what is old, and return how many: ``swept`` and ``progress``. Raises Unavailable when the store cannot be asked."""
        counts: Counter[str] = Counter()
        counts["swept"] = self._remove(self._old(self._inbox.swept), self._swept_are_gone)
        counts["progress"] = self._remove(filter(self._is_orphan, self._old(self._inbox.progress)))
        if counts.total():
            _log.info("removed %d swept messages and %d records of messages that are gone", counts["swept"], counts["progress"])
        return counts

    def _old(self, prefix: str) -> Iterator[str]:
        before = self._now() - self._keep
        for row in self._inbox.store.list(prefix, delimiter="/"):
            key = row.key.decode("utf-8", "replace")
            if key != prefix and modified(row) < before:
                yield key

    def _remove(self, keys: Iterator[str], gone: Callable[[list[str]], object] = lambda _: None) -> int:
        removed = 0
        found = itertools.islice(keys, self._most)
        while batch := list(itertools.islice(found, _BATCH)):
            left = self._inbox.store.delete(batch)
            for key, reason in left.items():
                _log.warning("%s cannot be removed: %s", key, reason)
            done = [key for key in batch if key not in left]
            removed += len(done)
            gone(done)
        return removed

    def _swept_are_gone(self, keys: list[str]) -> None:
        ids = [key.removeprefix(self._inbox.swept) for key in keys]
        for id in ids:
            fate("deleted", id=id, by="incoming.swept_keep")
        # What is left of these is found as an orphan.
        self._inbox.store.delete([self._inbox.progress + id for id in ids])

    def _is_orphan(self, key: str) -> bool:
        inbox, id = self._inbox, key.removeprefix(self._inbox.progress)
        places = (inbox.prefix, inbox.swept, inbox.held, *(prefix for prefix, _ in inbox.fixed))
        return not any(self._is_there(prefix + id) for prefix in places)

    def _is_there(self, key: str) -> bool:
        try:
            self._inbox.store.head(key)
        except NoSuchMessage:
            return False
        except MailError:
            # It cannot be known: the record stays.
            return True
        return True
