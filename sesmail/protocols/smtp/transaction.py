"""A mail transaction before its message: MAIL and RCPT (RFC 5321 sections 4.1.1.2 and 4.1.1.3)."""

from __future__ import annotations

from collections.abc import Callable

from sesmail.errors import Limited, Malformed, Refused
from sesmail.mail.address import path
from sesmail.protocols.failures import known
from sesmail.protocols.smtp.parameters import check_mail, check_rcpt
from sesmail.protocols.smtp.replies import refusal, reply
from sesmail.protocols.smtp.server import SMTPSession, State

_ACCEPTED = reply("250 2.1.5", "recipient ok")


async def mail(session: SMTPSession, argument: bytes) -> None:
    """MAIL: the sender, if he may be."""
    sender, parameters = _read(argument, b"FROM:", session.sender_of, "501 5.1.7")
    _check_extended(session, parameters)
    queue_id = check_mail(parameters, session.policy.max_size, ours=session.ours)
    await session.taker.sender(sender)
    session.sender, session.queue_id, session.state = sender, queue_id, State.MAIL
    await session.push(reply("250 2.1.0", "sender ok"))


async def rcpt(session: SMTPSession, argument: bytes) -> None:
    """RCPT: one recipient more."""
    try:
        await _add(session, argument)
    except Exception as error:
        session.refused += 1
        if session.refused > session.policy.refused_recipients:
            raise
        await session.push(refusal(known(error)))
    else:
        await session.push(_ACCEPTED)


async def _add(session: SMTPSession, argument: bytes) -> None:
    recipient, parameters = _read(argument, b"TO:", path, "501 5.1.3")
    if not recipient:
        raise Malformed("a recipient is missing", smtp="501 5.1.3")
    _check_extended(session, parameters)
    check_rcpt(parameters)
    known_already = recipient in session.recipients
    if known_already and not session.repeats:
        return
    count = len(session.recipients)
    if count >= session.policy.max_recipients:
        # RFC 5321 section 4.5.3.1.10: the client sends to these, then to the rest.
        raise Limited("too many recipients", smtp="452 4.5.3")
    if not known_already:
        await session.taker.recipient(recipient, count)
    session.recipients.append(recipient)
    session.state = State.RECIPIENTS


def _read(argument: bytes, word: bytes, read: Callable[[bytes], tuple[str, bytes]], code: str) -> tuple[str, bytes]:
    if argument[: len(word)].upper() != word:
        raise Malformed(f"{word.decode('ascii')}<address> is wanted")
    try:
        return read(argument[len(word) :])
    except Malformed as error:
        raise Malformed(error.public, smtp=error.smtp or code) from None


def _check_extended(session: SMTPSession, parameters: bytes) -> None:
    if parameters and not session.extended:
        raise Refused("parameters need EHLO", smtp="555 5.5.4")
