"""The factory of one submission listener."""

from __future__ import annotations

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator, IReactorTime

from sesmail.protocols.factory import SessionFactory
from sesmail.protocols.limits import Connections
from sesmail.protocols.smtp.policy import Policy
from sesmail.protocols.smtp.server import Listener, SMTPSession
from sesmail.protocols.smtp.verbs import VERBS


class SubmissionFactory(SessionFactory):
    """Makes submission sessions. `portal` is asked for an `avatar.ISubmission`.

    With `implicit` the connections come under TLS already; without it, `tls` is what STARTTLS offers. Without TLS nobody can log in.
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

    def buildProtocol(self, addr: IAddress | None) -> SMTPSession:
        """A session; limits are looked at when it is connected, since only then the real peer is known."""
        session = SMTPSession(self._listener)
        session.factory = self
        return session
