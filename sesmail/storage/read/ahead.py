"""Read ahead: while one message goes out, the next ones are on their way in.

A mail program fetches in order, one message at a time. Without this each would cost a round trip to the store.
"""

from __future__ import annotations

from collections.abc import Callable, Set

from twisted.internet.defer import CancelledError, Deferred

from sesmail.counters import Counter
from sesmail.errors import Limited, MailError
from sesmail.interfaces import Body
from sesmail.storage.body import MemoryBody
from sesmail.storage.read.bodies import HEAD, collect
from sesmail.storage.read.budget import Budget
from sesmail.storage.read.sealedbody import SealedBody, stays_sealed
from sesmail.storage.store import Reader

_opened = Counter(
    "sesmail_read_ahead_total",
    "Messages that were opened, by whether they were foreseen and were on their way already.",
    ("foreseen",),
)

Names = Callable[[int], tuple[str, int]]


class _Counted:
    """A body that is in memory: closing it gives its octets back to the budget."""

    def __init__(self, body: Body, free: Callable[[], None]) -> None:
        self._body = body
        self._free: Callable[[], None] | None = free
        self.size = body.size
        self.whole = body.whole

    async def read(self) -> bytes:
        return await self._body.read()

    def close(self) -> None:
        self._body.close()
        free, self._free = self._free, None
        if free is not None:
            free()


class Window:
    """One session's view ahead.

    It opens once the session reads in order, doubles with every message read in order, and is dropped as soon as the session
    goes elsewhere. Whole messages (RETR) and beginnings (TOP) are two ways of reading; changing over drops it, too.
    """

    def __init__(self, budget: Budget, reader: Reader, names: Names, count: int) -> None:
        self._budget = budget
        self._reader = reader
        self._names = names
        self._count = count
        self._coming: dict[int, Deferred[Body | None]] = {}
        self._expected = 0
        self._frontier = 0
        self._depth = 1
        self._head = False
        self._held = 0

    async def open(self, index: int, *, head: bool, skip: Set[int]) -> Body:
        """Message `index`, from memory if it was foreseen. Raises NoSuchMessage, Unavailable."""
        foreseen = self._move(index, head)
        _opened.add("no" if foreseen is None else "yes")
        self._expected = _after(index, skip)
        self._frontier = max(self._frontier, self._expected)
        # The wanted one is asked for before those that may be wanted, so that it has the first connection.
        body = foreseen or Deferred.fromCoroutine(self._direct(index))
        self._look_ahead(skip)
        return await body or await self._direct(index)

    def close(self) -> None:
        """Give up what is on its way. May be called more than once."""
        self._budget.has_left(self)
        while self._coming:
            _give_up(self._coming.popitem()[1])

    def give_back(self) -> None:
        """See Borrower. The session looks ahead again when it goes on."""
        self.close()
        self._frontier = 0

    def _move(self, index: int, head: bool) -> Deferred[Body | None] | None:
        """Go to `index`: what was foreseen for it, if it was; the depth for what comes next."""
        in_order = index == self._expected or index in self._coming
        if head != self._head or not in_order:
            self.close()
            self._frontier = 0
        self._head = head
        self._depth = min(self._budget.messages, max(2, self._depth * 2)) if in_order else 0
        foreseen = self._coming.pop(index, None)
        for passed in [one for one in self._coming if one < index]:
            _give_up(self._coming.pop(passed))
        return foreseen

    def _look_ahead(self, skip: Set[int]) -> None:
        while len(self._coming) < self._depth and self._frontier < self._count:
            key, size = self._names(self._frontier)
            cost = min(size, HEAD) if self._head else size
            if not self._fits(cost):
                return
            self._hold(cost)
            self._budget.borrows(self)
            self._coming[self._frontier] = Deferred.fromCoroutine(self._foresee(key, size, cost))
            self._frontier = _after(self._frontier, skip)

    async def _direct(self, index: int) -> Body:
        key, size = self._names(index)
        body = await self._reader.open(key, size=size, head=self._head)
        return await self._claimed(key, body) if isinstance(body, SealedBody) else body

    async def _claimed(self, key: str, body: SealedBody) -> Body:
        """A sealed message has no beginning that could be sent while the rest is fetched."""
        octets = body.claims
        try:
            await self._budget.claim(octets)
        except BaseException as error:
            body.close()
            if isinstance(error, MailError):
                stays_sealed(key, error)
            raise
        try:
            await body.load()
        except BaseException:
            self._budget.free(octets)
            raise
        return _Counted(body, lambda: self._budget.free(octets))

    async def _foresee(self, key: str, size: int, cost: int) -> Body | None:
        """None when it failed: whoever comes to want the message asks again and hears why."""
        try:
            body = await self._reader.open(key, size=size, head=self._head)
            if isinstance(body, SealedBody):
                cost += self._also(body, body.claims - cost)
                await body.load()
            elif not self._head and not body.whole:
                body = await _in_memory(body)
        except (MailError, CancelledError):
            self._free(cost)
            return None
        return _Counted(body, lambda: self._free(cost))

    def _also(self, body: SealedBody, octets: int) -> int:
        """Hold what it takes more than was thought. Raises Limited when there is no room for that."""
        if octets <= 0:
            return 0
        if not self._fits(octets):
            body.close()
            raise Limited
        self._hold(octets)
        return octets

    def _fits(self, octets: int) -> bool:
        return self._held + octets <= self._budget.session_bytes and self._budget.fits(octets)

    def _hold(self, octets: int) -> None:
        self._held += octets
        self._budget.hold(octets)

    def _free(self, octets: int) -> None:
        self._held -= octets
        self._budget.free(octets)


async def _in_memory(body: Body) -> Body:
    try:
        return MemoryBody(await collect(body))
    finally:
        body.close()


def _after(index: int, skip: Set[int]) -> int:
    index += 1
    while index in skip:
        index += 1
    return index


def _give_up(coming: Deferred[Body | None]) -> None:
    coming.cancel()
    coming.addCallback(_close)


def _close(body: Body | None) -> None:
    if body is not None:
        body.close()
