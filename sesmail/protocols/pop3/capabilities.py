"""CAPA (RFC 2449): what this session is offered now, and by whom."""

from __future__ import annotations

from collections.abc import Iterator

from sesmail.protocols.pop3.login import may_log_in
from sesmail.protocols.pop3.replies import END, ok
from sesmail.protocols.pop3.server import POP3Session
from sesmail.protocols.sasl import mechanisms


async def capa(session: POP3Session) -> None:
    """CAPA."""
    lines = b"".join(line + b"\r\n" for line in capabilities(session))
    await session.push(ok(b"capabilities follow") + lines + END)


def capabilities(session: POP3Session) -> Iterator[bytes]:
    """One capability a line.

    Login capabilities are announced in both states, as RFC 2449 section 6 has them, but only where a login would be heard.
    """
    policy = session.policy
    yield from (b"TOP", b"UIDL", b"PIPELINING", b"RESP-CODES", b"AUTH-RESP-CODE")
    if may_log_in(session):
        yield b"USER"
        yield b" ".join((b"SASL", *mechanisms(session.listener.portal)))
    if session.listener.starttls is not None and not session.secure:
        yield b"STLS"
    if policy.expire_days is not None:
        yield b"EXPIRE %d" % policy.expire_days
    elif policy.announce_never:
        yield b"EXPIRE NEVER"
    if policy.login_delay is not None:
        yield b"LOGIN-DELAY %d" % policy.login_delay
    yield b"IMPLEMENTATION " + policy.implementation.encode("ascii", "replace")
