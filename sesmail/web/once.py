"""What is asked for again while it is under way is not begun again: who asks waits for the one that is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

from twisted.internet.defer import Deferred

from sesmail.errors import Limited, Unavailable

WAITING = 64


class UnderWay:
    """Work by its key. At most `waiting` wait for one that somebody else began."""

    def __init__(self, waiting: int = WAITING) -> None:
        self._waiting = waiting
        self._under_way: dict[Hashable, list[Deferred[None]]] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._under_way

    async def do(self, key: Hashable, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work`, or wait for the end of that with the same key. Raises what it raises, for all who wait; Limited when too many do."""
        if key in self._under_way:
            await self._join(key)
            return
        waiting = self._under_way[key] = []
        # Work that was cut off is not done, whatever ended it.
        end: Exception | None = Unavailable(cause="the work was cut off")
        try:
            await work()
            end = None
        except Exception as error:
            end = error
            raise
        finally:
            del self._under_way[key]
            for one in waiting:
                one.callback(None) if end is None else one.errback(end)

    async def _join(self, key: Hashable) -> None:
        waiting = self._under_way[key]
        if len(waiting) >= self._waiting:
            raise Limited(cause="too many wait for the same work")
        end: Deferred[None] = Deferred()
        waiting.append(end)
        await end


class Done:
    """Remembers the last `limit` keys, those longest unused are forgotten first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[Hashable, None] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def add(self, key: Hashable) -> None:
        """Remember this one."""
        self._kept[key] = None
        self._kept.move_to_end(key)
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)
