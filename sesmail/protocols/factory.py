"""The sessions of one listener: their beginning, and their end together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import LoopingCall

from sesmail.protocols.limits import Counted
from sesmail.protocols.session import Listener, Session

L = TypeVar("L", bound=Listener)

# A client under TLS may keep its connection after our goodbye; it gets that long for its own.
PARTING = 1.0


class SessionFactory(ServerFactory):
    """Makes sessions and keeps them while they live.

    `listener` is given what every listener has; with the result `session` makes one. With `implicit` the connections come under TLS
    already; without it, `tls` is what a client may begin.
    """

    noisy = False

    def __init__(
        self,
        session: Callable[[L], Session],
        listener: Callable[..., L],
        connections: Counted,
        *,
        tls: IOpenSSLServerConnectionCreator | None,
        implicit: bool,
        clock: IReactorTime,
    ) -> None:
        self.sessions: set[Session] = set()
        self._clock = clock
        self._listener = listener(
            connections=connections,
            starttls=None if implicit else tls,
            implicit=implicit,
            clock=clock,
            sessions=self.sessions,
        )
        self._session = session

    @property
    def open(self) -> int:
        """Sessions that live."""
        return len(self.sessions)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A session; limits are looked at when it is connected, since only then the real peer is known."""
        session = self._session(self._listener)
        session.factory = self
        return session

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
