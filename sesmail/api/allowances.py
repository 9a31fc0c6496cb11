"""How many aliases a user may have, counted without looking through the table each time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sesmail.aliases.table import MOST_ROWS, Query, Table
from sesmail.errors import Refused

BELIEVED = 300.0
"""Seconds for which a count is believed."""
KEPT = 1000
"""Users whose counts are kept."""


@dataclass
class _Count:
    aliases: int
    until: float


class Allowances:
    """Of `most` aliases each. What is made and removed here is reckoned with at once, what others do after BELIEVED seconds: so many
    processes may let a user have so many more. Thread-safe. `now` gives seconds.

    A count is a search by owner, for which DynamoDB reads the whole table.
    """

    def __init__(self, table: Table, most: int, now: Callable[[], float]) -> None:
        self._table = table
        self._most = most
        self._now = now
        self._kept: OrderedDict[str, _Count] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def one_more(self, owner: str) -> Iterator[None]:
        """Within it an alias is made, which does not count when that fails. Raises Refused, Unavailable, Limited."""
        self._take(owner)
        try:
            yield
        except BaseException:
            self.one_less(owner)
            raise

    def one_less(self, owner: str) -> None:
        """One of his aliases is gone."""
        with self._lock:
            if owner in self._kept:
                self._kept[owner].aliases -= 1

    def _take(self, owner: str) -> None:
        now = self._now()
        with self._lock:
            known = self._kept.get(owner)
        if known is None or not 0 < known.until - now <= BELIEVED:
            self._look(owner, known, now)
        with self._lock:
            # What was just counted may have had to make room already.
            count = self._kept.get(owner) or _Count(0, now)
            if count.aliases >= self._most:
                raise Refused(f"nobody has more than {self._most} aliases; remove one, or ask an administrator")
            count.aliases += 1

    def _look(self, owner: str, known: _Count | None, now: float) -> None:
        found = self._found(owner)
        with self._lock:
            # Unless another thread was quicker, and has let somebody in by its count.
            if self._kept.get(owner) is known:
                self._kept[owner] = _Count(found, now + BELIEVED)
                self._kept.move_to_end(owner)
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)

    def _found(self, owner: str) -> int:
        found, after = 0, ""
        while found < self._most:
            page = self._table.find(Query(owner=owner), limit=MOST_ROWS, after=after)
            found, after = found + len(page.aliases), page.after
            if not after:
                break
        return found
