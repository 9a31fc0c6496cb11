"""How a client says who it is, and what it hears of us: EHLO, LHLO, HELO, and the commands that are only talk."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sesmail.errors import Malformed, Refused
from sesmail.protocols.smtp.replies import lines, reply
from sesmail.protocols.smtp.server import SMTPSession, State

# RFC 5321 section 4.1.1.1 wants a domain or an address literal; what programs call themselves is seldom either.
_NAME = re.compile(rb"[!-~]{1,255}")


async def ehlo(session: SMTPSession, name: bytes) -> None:
    """EHLO, or LHLO; any transaction is over (RFC 5321 section 4.1.4)."""
    _greeted(session, name, extended=True)
    await session.push(lines("250", [session.policy.hostname, *extensions(session)]))


async def helo(session: SMTPSession, name: bytes) -> None:
    """HELO: a client without extensions."""
    _greeted(session, name, extended=False)
    await session.push(reply("250", session.policy.hostname))


def extensions(session: SMTPSession) -> Iterator[str]:
    """What this session is offered now, one extension a line."""
    yield "PIPELINING"
    yield f"SIZE {session.policy.max_size}"
    yield "8BITMIME"
    yield "ENHANCEDSTATUSCODES"
    yield from session.security()


def _greeted(session: SMTPSession, name: bytes, *, extended: bool) -> None:
    if not _NAME.fullmatch(name):
        raise Malformed("one host name is wanted")
    session.helo, session.extended = name.decode("ascii"), extended
    session.reset()


async def other_hello(session: SMTPSession, _: bytes) -> None:
    """HELO and EHLO where LMTP is spoken: who says that takes us for another kind of server (RFC 2033 section 4.1)."""
    raise Refused("this is LMTP, say LHLO", smtp="500 5.5.1")


async def noop(session: SMTPSession, _: bytes) -> None:
    """NOOP, with any argument."""
    await session.push(reply("250 2.0.0", "ok"))


async def rset(session: SMTPSession, _: bytes) -> None:
    """RSET: no transaction is open, everything else stays as it was."""
    if session.state is not State.START:
        session.reset()
    await session.push(reply("250 2.0.0", "ok"))


async def help_(session: SMTPSession, _: bytes) -> None:
    """HELP."""
    await session.push(reply("214 2.0.0", session.about))


async def vrfy(session: SMTPSession, _: bytes) -> None:
    """VRFY: nobody learns here who exists (RFC 5321 section 7.3)."""
    await session.push(reply("252 2.1.5", "cannot verify, but a message will be tried"))


async def not_here(session: SMTPSession, _: bytes) -> None:
    """A command of SMTP that is not served."""
    raise Refused("command not implemented", smtp="502 5.5.1")


async def quit_(session: SMTPSession, _: bytes) -> None:
    """QUIT."""
    session.state = State.ENDED
    await session.push(reply("221 2.0.0", "bye"))
