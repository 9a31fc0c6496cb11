"""How a session becomes one that may send: STARTTLS (RFC 3207), then AUTH (RFC 4954) where somebody logs in."""

from __future__ import annotations

from typing import cast

from sesmail.errors import Malformed, Refused
from sesmail.interfaces import Submission
from sesmail.protocols.login import authenticate
from sesmail.protocols.sasl import Cancelled, mechanisms
from sesmail.protocols.smtp.avatar import ISubmission
from sesmail.protocols.smtp.replies import reply
from sesmail.protocols.smtp.server import SMTPSession
from sesmail.protocols.smtp.submitting import SubmissionSession


async def starttls(session: SMTPSession, _: bytes) -> None:
    """STARTTLS. Whatever comes behind it in the clear ends the session."""
    if session.secure:
        raise Refused("TLS has begun already", smtp="503 5.5.1")
    if session.listener.starttls is None:
        raise Refused("there is no TLS here", smtp="502 5.5.1")
    await session.start_tls(session.listener.starttls, reply("220 2.0.0", "begin TLS"))
    session.forget()


async def auth(session: SubmissionSession, argument: bytes) -> None:
    """AUTH, with or without an initial response, and never in the clear."""
    if not session.secure:
        raise Refused("a login is only taken under TLS", smtp="538 5.7.11")
    if not session.extended:
        raise Refused("say EHLO first", smtp="503 5.5.1")
    mechanism, *rest = argument.split()
    if len(rest) > 1:
        raise Malformed("wrong number of arguments")
    converse = mechanisms(session.listener.portal).get(mechanism.upper())
    if converse is None:
        raise Refused("unknown mechanism", smtp="504 5.5.4")
    try:
        submission = await authenticate(session, converse(), rest[0] if rest else None, ISubmission)
    except Cancelled:
        raise Malformed("cancelled", smtp="501 5.7.0") from None
    except Malformed as error:
        raise Malformed(error.public, smtp="501 5.5.2") from None
    if submission is not None:
        session.enter(cast(Submission, submission))
        await session.push(reply("235 2.7.0", "logged in"))
