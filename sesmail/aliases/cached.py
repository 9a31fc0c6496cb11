"""What a table said of aliases, domains and destinations, believed for some seconds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeAlias, TypeVar, cast

from sesmail.aliases.records import Alias, DestinationRecord, Domain
from sesmail.aliases.table import Table
from sesmail.counters import Counter

T = TypeVar("T")

_asked = Counter(
    "sesmail_alias_lookups_total",
    "Questions to a table of aliases in DynamoDB, by whether the answer was remembered.",
    ("remembered",),
)

_Kept: TypeAlias = OrderedDict[Hashable, tuple[float, Any]]

MOST = 10_000
"""Entries that are kept."""


class Cached:
    """See Counted; for those who look up, never for those who change. Thread-safe.

    What is not there is asked for each time: an alias that somebody has just made must not bounce.
    """

    def __init__(self, table: Table, *, seconds: float, now: Callable[[], float]) -> None:
        self._table = table
        self._seconds = seconds
        self._now = now
        self._kept: _Kept = OrderedDict()
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Believe nothing of what was said."""
        # Not emptied: what is being asked for meanwhile is kept in the old one, which nobody sees any more.
        with self._lock:
            self._kept = OrderedDict()

    def get(self, local: str, domain: str) -> Alias | None:
        return self._asked((local, domain), lambda: self._table.get(local, domain))

    def count_use(self, local: str, domain: str) -> None:
        self._table.count_use(local, domain)

    def domain(self, name: str) -> Domain | None:
        return next((one for one in self.domains() or () if one.name == name), None)

    def destination(self, address: str) -> DestinationRecord | None:
        return next((one for one in self._destinations() if one.address == address), None)

    def domains(self) -> Sequence[Domain] | None:
        return self._asked("domains", self._table.domains)

    def _destinations(self) -> Sequence[DestinationRecord]:
        return self._asked("destinations", self._table.destinations)

    def _asked(self, key: Hashable, ask: Callable[[], T]) -> T:
        now = self._now()
        with self._lock:
            kept = self._kept
            until, value = kept.get(key, (now, None))
        _asked.add("yes" if until > now else "no")
        if until > now:
            return cast(T, value)
        found = ask()
        if found is not None:
            self._keep(kept, key, now + self._seconds, found)
        return found

    def _keep(self, kept: _Kept, key: Hashable, until: float, value: object) -> None:
        with self._lock:
            kept[key] = until, value
            kept.move_to_end(key)
            if len(kept) > MOST:
                kept.popitem(last=False)
