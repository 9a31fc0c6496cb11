"""Finds the folders that an old sorter made for one user in several cases (``Tom/`` beside ``tom/``)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from sesmail.interfaces import Place, StorePlace
from sesmail.storage.keys import is_namesake, namesake_starts
from sesmail.storage.store import Reader

Found = tuple[float, tuple[str, ...]]


class Namesakes:
    """Remembers for `seconds` what was found, for at most `limit` mailboxes."""

    def __init__(self, now: Callable[[], float], *, seconds: float = 3600.0, limit: int = 10_000) -> None:
        self._now = now
        self._seconds = seconds
        self._limit = limit
        self._found: OrderedDict[tuple[StorePlace, str], Found] = OrderedDict()

    async def complete(self, reader: Reader, place: Place) -> Place:
        """The place with the folders in other cases added to `also`. Raises Unavailable: a mailbox that shows only a part of its
        mail for a while would make programs fetch the rest again."""
        if not place.mixed_case:
            return place
        name = (place.store, place.prefix)
        at, folders = self._found.get(name, (0.0, ()))
        if name not in self._found or not 0 <= self._now() - at < self._seconds:
            folders = await self._find(reader, place.prefix)
            self._remember(name, folders)
        return replace(place, also=(*place.also, *folders))

    async def _find(self, reader: Reader, prefix: str) -> tuple[str, ...]:
        found: set[str] = set()
        for start in namesake_starts(prefix):
            found.update(folder for folder in await reader.folders(start) if is_namesake(folder, prefix))
        return tuple(sorted(found))

    def _remember(self, name: tuple[StorePlace, str], folders: tuple[str, ...]) -> None:
        self._found[name] = (self._now(), folders)
        self._found.move_to_end(name)
        while len(self._found) > self._limit:
            self._found.popitem(last=False)
