"""The sessions of one listener, and their end together."""

from __future__ import annotations

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import LoopingCall

from sesmail.protocols.session import Session

# A client under TLS may keep its connection after our goodbye; it gets that long for its own.
PARTING = 1.0


class SessionFactory(ServerFactory):
    """Keeps the sessions that its subclass makes."""

    noisy = False

    def __init__(self, clock: IReactorTime) -> None:
        self.sessions: set[Session] = set()
        self._clock = clock

    async def drain(self, seconds: float) -> None:
        """End every session: idle ones at once, one with a running command behind it, the rest after `seconds` by force.

        No session is asked to begin anything new; a QUIT that is removing messages, or a message that is being received, counts
        as a running command.
        """
        done: Deferred[None] = Deferred()
        for session in tuple(self.sessions):
            session.drain()
        timer = self._clock.callLater(seconds, done.callback, None)

        def all_over(_: object) -> None:
            if timer.active():
                timer.reset(0)

        DeferredList([session.over for session in self.sessions]).addCallback(all_over)
        parting = LoopingCall(self._part)
        parting.clock = self._clock
        parting.start(PARTING, now=False)
        await done
        parting.stop()
        for session in tuple(self.sessions):
            session.abort()

    def _part(self) -> None:
        for session in tuple(self.sessions):
            session.part()
