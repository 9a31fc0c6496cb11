"""The factory of one POP3 listener."""

from __future__ import annotations

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator, IReactorTime

from sesmail.protocols.factory import SessionFactory
from sesmail.protocols.limits import Connections
from sesmail.protocols.pop3.policy import Policy
from sesmail.protocols.pop3.server import Listener, POP3Session
from sesmail.protocols.pop3.verbs import VERBS


class POP3Factory(SessionFactory):
    """Makes POP3 sessions.

    With `implicit` the connections come under TLS already; without it, `tls` is what STLS offers.
    """

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
        super().__init__(clock)
        self._listener = Listener(
            portal=portal,
            policy=policy,
            connections=connections,
            verbs=VERBS,
            starttls=None if implicit else tls,
            implicit=implicit,
            clock=clock,
            sessions=self.sessions,
        )

    def buildProtocol(self, addr: IAddress | None) -> POP3Session:
        """A session; limits are looked at when it is connected, since only then the real peer is known."""
        session = POP3Session(self._listener)
        session.factory = self
        return session
