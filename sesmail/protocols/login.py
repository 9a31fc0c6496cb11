"""How a session of any protocol logs in: a SASL exchange, the portal, and what a refusal costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import maybeDeferred
from zope.interface import Interface

from sesmail.counters import Counter, Histogram
from sesmail.errors import BadLogin, Limited, MailError
from sesmail.log import fate
from sesmail.protocols.failures import known
from sesmail.protocols.lineserver import Gone
from sesmail.protocols.sasl import Conversation, Credentials, failure, response
from sesmail.protocols.session import LoginSession, log_out_of

LOGINS = Counter(
    "sesmail_logins_total",
    "Logins by protocol and result: good, or the kind of error as the log has it.",
    ("protocol", "result"),
)
_seconds = Histogram("sesmail_login_seconds", "Time that a login took, its mailbox opened, by protocol.", ("protocol",))


async def authenticate(
    session: LoginSession, conversation: Conversation, initial: bytes | None, interface: type[Interface]
) -> object | None:
    """Go through a SASL exchange and log in. Returns the avatar, or None when the login was refused and the client knows.

    Raises Cancelled and Malformed when there is nothing to log in with.
    """
    began = session.clock.seconds()
    try:
        credentials = await _converse(session, conversation, initial)
    except BadLogin as error:
        await _refuse(session, None, error, began)
        return None
    return await log_in(session, credentials, interface)


async def log_in(session: LoginSession, credentials: Credentials, interface: type[Interface]) -> object | None:
    """Log in by the portal. Returns the avatar, or None when the login was refused and the client knows."""
    began = session.clock.seconds()
    name = getattr(credentials, "username", None)
    try:
        avatar, log_out = await _avatar(session, credentials, interface)
    except Exception as error:
        why = known(error)
        if isinstance(why, BadLogin) and (told := failure(credentials)) is not None:
            # The answer says nothing: by then the client knows.
            await session.challenge(told)
        await _refuse(session, name, why, began)
        return None
    if session.gone:
        await log_out_of(log_out)
        raise Gone
    session.admit(name, log_out)
    LOGINS.add(session.protocol, "good")
    fate("login", user=name, peer=session.peer, protocol=session.protocol)
    return avatar


async def _converse(session: LoginSession, conversation: Conversation, initial: bytes | None) -> Credentials:
    asked = next(conversation)
    answer = response(initial, initial=True) if initial is not None else response(await session.challenge(asked))
    while True:
        try:
            asked = conversation.send(answer)
        except StopIteration as end:
            credentials: Credentials = end.value
            return credentials
        answer = response(await session.challenge(asked))


async def _avatar(session: LoginSession, credentials: Any, interface: type[Interface]) -> tuple[object, Callable[[], object]]:
    session.asking = True
    began = session.clock.seconds()
    try:
        # Awaited to its end even when the client leaves meanwhile: a logout may be owed.
        _, avatar, log_out = await maybeDeferred(session.listener.portal.login, credentials, session, interface)
    finally:
        session.asking = False
        _seconds.observe(session.clock.seconds() - began, session.protocol)
    return avatar, log_out


async def _refuse(session: LoginSession, name: bytes | None, error: MailError, began: float) -> None:
    LOGINS.add(session.protocol, type(error).__name__)
    fate("login-refused", user=name, peer=session.peer, protocol=session.protocol, reason=type(error).__name__)
    if isinstance(error, BadLogin | Limited):
        session.strikes += 1
        due = began + session.policy.strike_delay * 2 ** (session.strikes - 1)
        await session.sleep(max(0.0, due - session.clock.seconds()))
    await session.refuse(error)
    if session.strikes >= session.policy.strikes:
        await session.struck_out()
