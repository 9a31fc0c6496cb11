"""The factory of one POP3 listener."""

from __future__ import annotations

from functools import partial

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime

from sesmail.protocols.factory import SessionFactory
from sesmail.protocols.limits import Counted
from sesmail.protocols.pop3.policy import Policy
from sesmail.protocols.pop3.server import Listener, POP3Session
from sesmail.protocols.pop3.verbs import VERBS


class POP3Factory(SessionFactory):
    """Makes POP3 sessions; `tls` is what STLS offers."""

    def __init__(
        self,
        portal: Portal,
        policy: Policy,
        connections: Counted,
        *,
        tls: IOpenSSLServerConnectionCreator | None,
        implicit: bool,
        clock: IReactorTime,
    ) -> None:
        listener = partial(Listener, portal=portal, policy=policy, verbs=VERBS)
        super().__init__(POP3Session, listener, connections, tls=tls, implicit=implicit, clock=clock)
