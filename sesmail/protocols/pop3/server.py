"""One POP3 session: its states, what may be said in each, and its end."""

from __future__ import annotations

import enum
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import isawaitable
from ipaddress import IPv6Address, ip_address
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IDelayedCall, IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.mail import pop3
from twisted.python.failure import Failure

from sesmail.errors import Malformed, Refused
from sesmail.protocols.limits import Connections
from sesmail.protocols.lineserver import Gone, LineServer, LineTooLong
from sesmail.protocols.outlet import Connection
from sesmail.protocols.pop3.mailbox import PopMailbox
from sesmail.protocols.pop3.policy import Policy
from sesmail.protocols.pop3.replies import known, ok, refusal

# RFC 2449 section 4, line end included.
COMMAND_LINE = 255
# Tokens come as passwords and in SASL responses.
LOGIN_LINE = 16 * 1024

logger = logging.getLogger(__name__)


class State(enum.StrEnum):
    """RFC 1939 section 3; UPDATE and what follows it is ENDED, since no verb is legal there."""

    AUTHORIZATION = "AUTHORIZATION"
    TRANSACTION = "TRANSACTION"
    ENDED = "ENDED"


@dataclass(frozen=True)
class Verb:
    """A command: what runs it, where it is legal, how many arguments it takes.

    `text`: the one argument is all that follows the first space, as it is. `limit`: octets its line may have.
    """

    run: Callable[..., Awaitable[None]]
    states: frozenset[State]
    least: int = 0
    most: int = 0
    text: bool = False
    limit: int = COMMAND_LINE

    def arguments(self, rest: bytes) -> list[bytes]:
        """What follows the verb, divided. Raises Malformed when that is too little or too much."""
        words = [rest] if self.text and rest else rest.split()
        if not self.least <= len(words) <= self.most:
            raise Malformed("wrong number of arguments")
        return words


@dataclass(frozen=True, kw_only=True)
class Listener:
    """What all sessions of one listener share. `stls` is set where TLS is offered by STLS."""

    portal: Portal
    policy: Policy
    connections: Connections
    verbs: Mapping[bytes, Verb]
    stls: IOpenSSLServerConnectionCreator | None
    implicit: bool
    clock: IReactorTime
    sessions: set[POP3Session]


class POP3Session(LineServer, pop3.POP3):
    """A POP3 server connection; for cred and the lock it is the `Client`."""

    factory: Any

    def __init__(self, listener: Listener) -> None:
        policy = listener.policy
        super().__init__(listener.clock, stall=policy.stall, backlog=policy.pipeline, secure=listener.implicit)
        self.listener = listener
        self.policy = policy
        self.state: State = State.AUTHORIZATION
        self.peer = ""
        self.protocol = "pop3s" if listener.implicit else "pop3"
        self.user: bytes | None = None
        """Who logs in or has logged in, as the client spells it."""
        self.strikes = 0
        self.mbox: PopMailbox | None = None
        self.asking = False
        """True while the portal has the login."""
        self._login_until = listener.clock.seconds() + policy.login_timeout
        self._login_timer: IDelayedCall | None = None
        self._log_out: Callable[[], object] = _nothing
        self._draining = False

    def connectionMade(self) -> None:
        """Begin, unless there are too many connections."""
        self.peer = _address(self.transport)
        if not self.listener.connections.enter(self.peer):
            logger.info("too many connections, one more refused: peer=%s", self.peer)
            self.abort()
            return
        self.listener.sessions.add(self)
        self.over.addCallback(self._forget)
        if hasattr(self.transport, "setTcpNoDelay"):
            # With Nagle's algorithm each message waits for a delayed ACK of the one before, 40 ms.
            self.transport.setTcpNoDelay(True)
        self._login_timer = self.clock.callLater(self.policy.login_timeout, self._login_timed_out)
        self.begin(self._live())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end."""
        self._stop_login_timer()
        super().connectionLost(reason)

    @property
    def mailbox(self) -> PopMailbox:
        """The maildrop; only asked for in states in which there is one."""
        if self.mbox is None:
            raise Refused("log in first")
        return self.mbox

    def has_marks(self) -> bool:
        """True when a message is marked as deleted."""
        return self.mbox is not None and bool(self.mbox.marks)

    def enter(self, mailbox: PopMailbox, log_out: Callable[[], object]) -> None:
        """The login was good: from now on `log_out` is owed."""
        self.mbox = mailbox
        self._log_out = log_out
        self.state = State.TRANSACTION
        self._stop_login_timer()

    async def leave(self) -> None:
        """End the session's hold on the maildrop; the second time there is nothing left to do. Never raises."""
        log_out, self._log_out = self._log_out, _nothing
        await log_out_of(log_out)

    @contextmanager
    def unfinished(self) -> Iterator[None]:
        """An answer that has begun is finished, or the connection is broken: no error may pass for a part or an end of it."""
        try:
            yield
        except Gone:
            raise
        except Exception as error:
            known(error)
            self.abort()
            raise Gone from error

    def drain(self) -> None:
        """End the session as soon as no command runs. Nothing is deleted."""
        self._draining = True
        if self.idle:
            self.hang_up()

    async def _live(self) -> None:
        try:
            await self.push(ok(b"POP3 ready"))
            while self.state is not State.ENDED and not self._draining:
                await self._obey(await self.read_line(LOGIN_LINE, self.patience()))
        except LineTooLong:
            await self.push(refusal(Malformed("line too long")))
        finally:
            await self.leave()

    def patience(self) -> float:
        """Seconds that the client has for its next line."""
        if self.state is State.TRANSACTION:
            return self.policy.autologout
        return self._login_until - self.clock.seconds()

    async def _obey(self, line: bytes) -> None:
        name, _, rest = line.partition(b" ")
        verb = self.listener.verbs.get(name.upper(), _UNKNOWN)
        if len(line) + 2 > verb.limit:
            raise LineTooLong
        try:
            if self.state not in verb.states:
                raise Refused(_WRONG_STATE[self.state])
            await verb.run(self, *verb.arguments(rest))
        except (Gone, LineTooLong):
            raise
        except Exception as error:
            await self.push(refusal(known(error)))

    def _login_timed_out(self) -> None:
        # A login that the portal has is not the client's to hurry; if it is refused, no time is left for another.
        if not self.asking:
            self.abort()

    def _stop_login_timer(self) -> None:
        if self._login_timer is not None and self._login_timer.active():
            self._login_timer.cancel()

    def _forget(self, _: object) -> None:
        self.listener.connections.leave(self.peer)
        self.listener.sessions.discard(self)


async def log_out_of(log_out: Callable[[], object]) -> None:
    """Call what cred's realm gave for the end of a session. Never raises: there is nobody who could do anything about it."""
    try:
        leaving = log_out()
        if isawaitable(leaving):
            await leaving
    except Exception:
        logger.exception("a logout failed")


async def _unknown(session: POP3Session, *arguments: bytes) -> None:
    raise Malformed("unknown command")


_WRONG_STATE = {State.AUTHORIZATION: "log in first", State.TRANSACTION: "only before login"}
_UNKNOWN = Verb(_unknown, frozenset(State), most=COMMAND_LINE)


def _address(transport: Connection) -> str:
    try:
        address = ip_address(getattr(transport.getPeer(), "host", ""))
    except ValueError:
        return "unix"
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


def _nothing() -> None:
    pass
