"""How a session gets its maildrop: USER and PASS, AUTH, and STLS before them."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, cast

from twisted.cred.credentials import UsernamePassword
from twisted.internet.defer import maybeDeferred
from twisted.mail import pop3

from sesmail.errors import BadLogin, Limited, MailError, Refused
from sesmail.log import fate
from sesmail.protocols.lineserver import Gone
from sesmail.protocols.pop3.mailbox import PopMailbox
from sesmail.protocols.pop3.replies import END, known, ok, refusal
from sesmail.protocols.pop3.server import LOGIN_LINE, POP3Session, State, log_out_of
from sesmail.protocols.sasl import Cancelled, Conversation, Credentials, challenge, failure, mechanisms, response

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
    if session.listener.stls is None or session.secure:
        raise Refused("TLS is not to be had by STLS here")
    await session.start_tls(session.listener.stls, ok(b"begin TLS"))
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
        await _log_in(session, UsernamePassword(name, password))


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
        credentials = await _conversation(session, converse(), initial)
    except Cancelled:
        raise Refused("cancelled") from None
    except BadLogin as error:
        await _refuse(session, None, error, session.clock.seconds())
        return
    await _log_in(session, credentials)


async def _conversation(session: POP3Session, conversation: Conversation, initial: bytes | None) -> Credentials:
    asked = next(conversation)
    answer = response(initial, initial=True) if initial is not None else await _ask(session, asked)
    while True:
        try:
            asked = conversation.send(answer)
        except StopIteration as end:
            credentials: Credentials = end.value
            return credentials
        answer = await _ask(session, asked)


async def _ask(session: POP3Session, asked: bytes) -> bytes:
    await session.push(b"+ ", challenge(asked), b"\r\n")
    return response(await session.read_line(LOGIN_LINE, session.patience()))


async def _tell(session: POP3Session, text: bytes) -> None:
    await session.push(b"+ ", challenge(text), b"\r\n")
    # The answer says nothing: by then the client knows.
    await session.read_line(LOGIN_LINE, session.patience())


async def _log_in(session: POP3Session, credentials: Credentials) -> None:
    began = session.clock.seconds()
    name = getattr(credentials, "username", None)
    try:
        mailbox, log_out = await _avatar(session, credentials)
    except Exception as error:
        why = known(error)
        if isinstance(why, BadLogin) and (told := failure(credentials)) is not None:
            await _tell(session, told)
        await _refuse(session, name, why, began)
        return
    if session.gone:
        await log_out_of(log_out)
        raise Gone
    session.user = name
    session.enter(mailbox, log_out)
    fate("login", user=name, peer=session.peer, protocol=session.protocol)
    await session.push(ok(b"maildrop has %d messages" % len(mailbox.maildrop)))


async def _avatar(session: POP3Session, credentials: Any) -> tuple[PopMailbox, Callable[[], object]]:
    session.asking = True
    try:
        # Awaited to its end even when the client leaves meanwhile: a logout may be owed.
        _, mailbox, log_out = await maybeDeferred(session.listener.portal.login, credentials, session, pop3.IMailbox)
    finally:
        session.asking = False
    return cast(PopMailbox, mailbox), log_out


async def _refuse(session: POP3Session, name: bytes | None, error: MailError, began: float) -> None:
    fate("login-refused", user=name, peer=session.peer, protocol=session.protocol, reason=type(error).__name__)
    if isinstance(error, BadLogin | Limited):
        session.strikes += 1
        due = began + session.policy.strike_delay * 2 ** (session.strikes - 1)
        await session.sleep(max(0.0, due - session.clock.seconds()))
    await session.push(refusal(error))
    if session.strikes >= session.policy.strikes:
        session.state = State.ENDED
