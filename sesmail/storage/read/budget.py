"""How much memory messages may take: what was read ahead gives way to what somebody waits for."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Protocol
from weakref import WeakSet

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime

from sesmail.counters import Gauge
from sesmail.errors import TooLarge, Unavailable

PATIENCE = 60.0

_budgets: WeakSet[Budget] = WeakSet()
_held = Gauge(
    "sesmail_read_ahead_octets", "Octets of messages in memory that were read ahead, or are sealed and must be whole."
)
_held.read(lambda: sum(one.held for one in _budgets))


class Borrower(Protocol):
    """Somebody who has read ahead."""

    def give_back(self) -> None:
        """Give up all that is not asked for yet."""


class Budget:
    """How much may be read ahead: messages and octets in one session, octets in all of them. `held` is what is, now.

    A message that must be whole in memory before its first octet may leave has a claim on what all sessions have, and waits at most
    `patience` seconds for those that came before it.
    """

    def __init__(
        self, session_bytes: int, total_bytes: int, messages: int, clock: IReactorTime, *, patience: float = PATIENCE
    ) -> None:
        self.session_bytes = session_bytes
        self.total_bytes = total_bytes
        self.messages = messages
        self.held: int = 0
        self._clock = clock
        self._patience = patience
        self._borrowers: OrderedDict[Borrower, None] = OrderedDict()
        self._waiting: deque[tuple[int, Deferred[None]]] = deque()
        _budgets.add(self)

    def fits(self, octets: int) -> bool:
        """Whether nobody waits and so many more may be held."""
        return not self._waiting and self.held + octets <= self.total_bytes

    def hold(self, octets: int) -> None:
        """So many more are held."""
        self.held += octets

    def free(self, octets: int) -> None:
        """So many of them are not held any more."""
        self.held -= octets
        while self._waiting and self.held + self._waiting[0][0] <= self.total_bytes:
            claimed, over = self._waiting.popleft()
            self.held += claimed
            over.callback(None)

    def borrows(self, borrower: Borrower) -> None:
        """It reads ahead. Who did so longest ago is the first to give back."""
        self._borrowers[borrower] = None
        self._borrowers.move_to_end(borrower)

    def has_left(self, borrower: Borrower) -> None:
        """It has nothing to give back."""
        self._borrowers.pop(borrower, None)

    async def claim(self, octets: int) -> None:
        """Returns when they are held. Raises TooLarge for more than there can ever be, Unavailable when that took too long."""
        if octets > self.total_bytes:
            raise TooLarge(cause=f"a sealed message of {octets} octets, and read_ahead.total_bytes is {self.total_bytes}")
        self._reclaim(octets)
        if self.fits(octets):
            self.hold(octets)
            return
        over: Deferred[None] = Deferred()
        waiting = octets, over
        self._waiting.append(waiting)
        over.addTimeout(self._patience, self._clock)
        try:
            await over
        except DeferredTimeout:
            raise Unavailable(cause="sealed messages take all of read_ahead.total_bytes") from None
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                self.free(0)

    def _reclaim(self, octets: int) -> None:
        for borrower in tuple(self._borrowers):
            if self.held + octets <= self.total_bytes:
                break
            borrower.give_back()
