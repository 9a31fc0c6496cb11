"""The doors of the gateway: a listener for each port, and behind it the sessions of its protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from twisted.cred.portal import Portal

from sesmail.assembly.ids import hostname
from sesmail.config.listeners import Listener as Listening
from sesmail.config.table import Config
from sesmail.interfaces import Reception
from sesmail.protocols.factory import SessionFactory
from sesmail.protocols.limits import Counted
from sesmail.protocols.pop3.factory import POP3Factory
from sesmail.protocols.pop3.policy import Policy as POP3Policy
from sesmail.protocols.smtp.factory import LMTPFactory, SubmissionFactory
from sesmail.protocols.smtp.policy import LMTPPolicy
from sesmail.protocols.smtp.policy import Policy as SubmissionPolicy
from sesmail.service.certificates import CertificateStore
from sesmail.service.listeners import Endpoints, Listener, listener


def doors(
    config: Config,
    reactor: Any,
    portal: Portal,
    store: CertificateStore | None,
    connections: Counted,
    reception: Reception | None = None,
    endpoints: Endpoints | None = None,
) -> Iterator[tuple[Listener, SessionFactory]]:
    """Every door of the configuration; all share `connections`. `reception` takes the mail of LMTP, where that is spoken. `endpoints`: see
    Listener. Raises BadEndpoint."""

    def pop3(one: Listening) -> SessionFactory:
        return POP3Factory(portal, _pop3(config), connections, **_secured(one, store), clock=reactor)

    def submission(one: Listening) -> SessionFactory:
        return SubmissionFactory(portal, _submission(config), connections, **_secured(one, store), clock=reactor)

    def lmtp(one: Listening) -> SessionFactory:
        if reception is None:
            raise ValueError("a door for LMTP, and nobody who takes the mail")
        policy, neighbours = _lmtp(config), config.lmtp.clients
        return LMTPFactory(reception, policy, connections, **_secured(one, store), clock=reactor, trusted=neighbours)

    kinds: list[tuple[str, Sequence[Listening], Callable[[Listening], SessionFactory], dict[str, Any]]] = [
        ("pop3.listeners", config.pop3.listeners, pop3, {}),
        ("submission.listeners", config.submission.listeners, submission, {}),
        # Who may connect may deliver: not everybody of this machine.
        ("lmtp.listeners", config.lmtp.listeners, lmtp, {"group": config.lmtp.group, "mode": "660"}),
    ]
    for option, listeners, make, socket in kinds:
        for one in listeners:
            factory = make(one)
            yield listener(option, one, factory, reactor, store, **socket, endpoints=endpoints), factory


def _secured(one: Listening, store: CertificateStore | None) -> dict[str, Any]:
    return {"tls": store if one.tls == "starttls" else None, "implicit": one.tls == "implicit"}


def _pop3(config: Config) -> POP3Policy:
    pop3 = config.pop3
    return POP3Policy(
        plaintext=pop3.plaintext,  # type: ignore[arg-type]
        login_timeout=pop3.login_timeout,
        autologout=pop3.autologout,
        stall=pop3.stall,
        strikes=pop3.strikes,
        strike_delay=pop3.strike_delay,
        expire_days=pop3.expire_days if isinstance(pop3.expire_days, int) else None,
        announce_never=pop3.expire_days == "never",
        login_delay=pop3.login_delay,
        implementation=pop3.implementation,
    )


def _submission(config: Config) -> SubmissionPolicy:
    submission = config.submission
    return SubmissionPolicy(
        hostname=hostname(config),
        max_size=submission.max_size,
        max_recipients=submission.max_recipients,
        bare_newlines=submission.bare_newlines,  # type: ignore[arg-type]
        login_timeout=submission.login_timeout,
        command_timeout=submission.command_timeout,
        data_timeout=submission.data_timeout,
        strikes=submission.strikes,
        strike_delay=submission.strike_delay,
    )


def _lmtp(config: Config) -> LMTPPolicy:
    lmtp = config.lmtp
    return LMTPPolicy(
        hostname=hostname(config),
        max_size=lmtp.max_size,
        max_recipients=lmtp.max_recipients,
        command_timeout=lmtp.command_timeout,
        data_timeout=lmtp.data_timeout,
    )
