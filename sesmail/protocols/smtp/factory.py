"""The factories of listeners for mail: submission, and LMTP."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime

from sesmail.interfaces import Reception
from sesmail.protocols.factory import SessionFactory
from sesmail.protocols.limits import Counted
from sesmail.protocols.smtp.lmtp import LMTPListener, LMTPSession, Neighbours
from sesmail.protocols.smtp.policy import LMTPPolicy, Policy
from sesmail.protocols.smtp.submitting import SubmissionListener, SubmissionSession
from sesmail.protocols.smtp.verbs import LMTP_VERBS, VERBS


class SubmissionFactory(SessionFactory):
    """Makes submission sessions. `portal` is asked for an `avatar.ISubmission`; `tls` is what STARTTLS offers. Without TLS nobody can
    log in."""

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
        listener = partial(SubmissionListener, portal=portal, policy=policy, verbs=VERBS)
        super().__init__(SubmissionSession, listener, connections, tls=tls, implicit=implicit, clock=clock)


class LMTPFactory(SessionFactory):
    """Makes LMTP sessions; `tls` is what STARTTLS offers. Nobody logs in: who may connect may deliver, from this host or, over TCP,
    from the networks `trusted`."""

    def __init__(
        self,
        reception: Reception,
        policy: LMTPPolicy,
        connections: Counted,
        *,
        tls: IOpenSSLServerConnectionCreator | None,
        implicit: bool,
        clock: IReactorTime,
        trusted: Iterable[str] = (),
    ) -> None:
        listener = partial(LMTPListener, reception=reception, policy=policy, verbs=LMTP_VERBS, neighbours=Neighbours(trusted))
        super().__init__(LMTPSession, listener, connections, tls=tls, implicit=implicit, clock=clock)
