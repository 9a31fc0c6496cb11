"""One piece of heavy work at a time: between two of them the reactor serves everybody else."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime


class Turns:
    """Pages of many listings may arrive in one breath of the reactor; read at once they would hold it for a quarter of a second."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: deque[Deferred[None]] = deque()

    async def turn(self) -> None:
        """Returns in an iteration of the reactor in which nobody else's turn comes."""
        turn: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(turn)
        if len(self._waiting) == 1:
            self._clock.callLater(0, self._next)
        await turn

    def _next(self) -> None:
        if not self._waiting:
            return
        turn = self._waiting.popleft()
        if self._waiting:
            self._clock.callLater(0, self._next)
        turn.callback(None)
