"""How a session gets its maildrop: USER and PASS, AUTH, and STLS before them."""

from __future__ import annotations

from ipaddress import ip_address
from typing import cast

from twisted.cred.credentials import UsernamePassword
from twisted.mail import pop3

from sesmail.errors import Refused
from sesmail.protocols.login import authenticate, log_in
from sesmail.protocols.pop3.mailbox import PopMailbox
from sesmail.protocols.pop3.replies import END, ok
from sesmail.protocols.pop3.server import POP3Session
from sesmail.protocols.sasl import Cancelled, mechanisms

_NEEDS_TLS = b"-ERR [AUTH] a login is only taken under TLS\r\n"


def may_log_in(session: POP3Session) -> bool:
    """True where a password would be taken now."""
    if session.secure or session.policy.plaintext == "always":
        return True
    return session.policy.plaintext == "loopback" and _is_here(session.peer)


def _is_here(peer: str) -> bool:
    return peer == "unix" or ip_address(peer).is_loopback


async def stls(session: POP3Session) -> None:
    """STLS (RFC 2595 section 4)."""
    if session.listener.starttls is None or session.secure:
        raise Refused("TLS is not to be had by STLS here")
    await session.start_tls(session.listener.starttls, ok(b"begin TLS"))
    # What was said in the clear may have been said by anybody.
    session.user = None


async def user(session: POP3Session, name: bytes) -> None:
    """USER: keep the name for PASS. Every name is welcome here, or strangers could learn which exist."""
    if not may_log_in(session):
        await session.push(_NEEDS_TLS)
        return
    session.user = name
    await session.push(ok(b"now PASS"))


async def pass_(session: POP3Session, password: bytes) -> None:
    """PASS: the rest of the line, spaces and all (RFC 1939 section 7)."""
    if not may_log_in(session):
        await session.push(_NEEDS_TLS)
    elif session.user is None:
        raise Refused("USER comes first")
    else:
        name, session.user = session.user, None
        await _enter(session, await log_in(session, UsernamePassword(name, password), pop3.IMailbox))


async def auth(session: POP3Session, mechanism: bytes | None = None, initial: bytes | None = None) -> None:
    """AUTH (RFC 5034); without a mechanism it names them, which old clients ask for."""
    if not may_log_in(session):
        await session.push(_NEEDS_TLS)
        return
    offered = mechanisms(session.listener.portal)
    if mechanism is None:
        await session.push(ok(b"mechanisms follow"), *(name + b"\r\n" for name in offered), END)
        return
    converse = offered.get(mechanism.upper())
    if converse is None:
        raise Refused("unknown mechanism")
    try:
        mailbox = await authenticate(session, converse(), initial, pop3.IMailbox)
    except Cancelled:
        raise Refused("cancelled") from None
    await _enter(session, mailbox)


async def _enter(session: POP3Session, mailbox: object | None) -> None:
    if mailbox is not None:
        session.enter(cast(PopMailbox, mailbox))
        await session.push(ok(b"maildrop has %d messages" % len(session.mailbox.maildrop)))
