"""The factory of one POP3 listener."""

from __future__ import annotations

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import LoopingCall

from sesmail.protocols.limits import Connections
from sesmail.protocols.pop3.policy import Policy
from sesmail.protocols.pop3.server import Listener, POP3Session
from sesmail.protocols.pop3.verbs import VERBS

# A client under TLS may keep its connection after our goodbye; it gets that long for its own.
PARTING = 1.0


class POP3Factory(ServerFactory):
    """Makes sessions and ends them together.

    With `implicit` the connections come under TLS already; without it, `tls` is what STLS offers.
    """

    noisy = False

    def __init__(
        self,
        portal: Portal,
        policy: Policy,
        connections: Connections,
        *,
        tls: IOpenSSLServerConnectionCreator | None,
        implicit: bool,
        clock: IReactorTime,
    ) -> None:
        self.sessions: set[POP3Session] = set()
        self._clock = clock
        self._listener = Listener(
            portal=portal,
            policy=policy,
            connections=connections,
            verbs=VERBS,
            stls=None if implicit else tls,
            implicit=implicit,
            clock=clock,
            sessions=self.sessions,
        )

    def buildProtocol(self, addr: IAddress | None) -> POP3Session:
        """A session; limits are looked at when it is connected, since only then the real peer is known."""
        session = POP3Session(self._listener)
        session.factory = self
        return session

    async def drain(self, seconds: float) -> None:
        """End every session: idle ones at once, one with a running command behind it, the rest after `seconds` by force.

        No session is asked to begin anything new; a QUIT that is removing messages counts as a running command.
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
