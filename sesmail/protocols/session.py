"""What sessions of every protocol have in common: who the peer is, how it ends, and how long it may take to log in where it must."""

from __future__ import annotations

import abc
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IDelayedCall, IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from sesmail.counters import Counter, Gauge
from sesmail.errors import MailError
from sesmail.peers import spelled
from sesmail.protocols.failures import known
from sesmail.protocols.limits import Counted
from sesmail.protocols.lineserver import Gone, LineServer
from sesmail.protocols.policy import LoginPolicy, SessionPolicy

logger = logging.getLogger(__name__)

_begun = Counter("sesmail_sessions_total", "Sessions that began, by protocol.", ("protocol",))
_turned_away = Counter(
    "sesmail_connections_refused_total", "Connections closed at once because there were too many, by protocol.", ("protocol",)
)
_open: dict[tuple[str, ...], float] = {}
Gauge("sesmail_sessions", "Sessions that are open, by protocol.", ("protocol",)).read(_open.copy)


@dataclass(frozen=True, kw_only=True)
class Listener:
    """What all sessions of one listener share. `starttls` is set where TLS may begin within a session."""

    policy: SessionPolicy
    connections: Counted
    starttls: IOpenSSLServerConnectionCreator | None
    implicit: bool
    clock: IReactorTime
    sessions: set[Session]


class Session(LineServer, abc.ABC):
    """One connection of a listener."""

    factory: Any
    listener: Listener
    policy: SessionPolicy

    def __init__(self, listener: Listener, protocol: str) -> None:
        policy = listener.policy
        super().__init__(listener.clock, stall=policy.stall, backlog=policy.pipeline, secure=listener.implicit)
        self.listener = listener
        self.policy = policy
        self.peer = ""
        self.protocol = protocol + "s" if listener.implicit else protocol
        self.draining = False
        """True once the session is to end with the command that runs."""

    @abc.abstractmethod
    async def live(self) -> None:
        """The whole session, from greeting to end."""

    def connectionMade(self) -> None:
        """Begin, unless there are too many connections."""
        self.peer = spelled(getattr(self.transport.getPeer(), "host", ""))
        if not self.listener.connections.enter(self.peer):
            logger.info("too many connections, one more refused: peer=%s", self.peer)
            _turned_away.add(self.protocol)
            self.abort()
            return
        self.listener.sessions.add(self)
        _begun.add(self.protocol)
        _open[(self.protocol,)] = _open.get((self.protocol,), 0) + 1
        self.over.addCallback(self._forget)
        if self.peer != "unix" and hasattr(self.transport, "setTcpNoDelay"):
            # With Nagle's algorithm each answer waits for a delayed ACK of the one before, 40 ms.
            self.transport.setTcpNoDelay(True)
        self.begin(self.live())

    @contextmanager
    def unfinished(self) -> Iterator[None]:
        """What has begun is finished, or the connection is broken: no error may pass for a part or an end of it."""
        try:
            yield
        except Gone:
            raise
        except Exception as error:
            known(error)
            self.abort()
            raise Gone from error

    def drain(self) -> None:
        """End the session as soon as no command runs."""
        self.draining = True
        if self.idle:
            self.hang_up()

    def _forget(self, _: object) -> None:
        self.listener.connections.leave(self.peer)
        self.listener.sessions.discard(self)
        _open[(self.protocol,)] -= 1


@dataclass(frozen=True, kw_only=True)
class LoginListener(Listener):
    """What all sessions of a listener share on which people log in. `portal` is asked for what they log in to."""

    policy: LoginPolicy
    portal: Portal


class LoginSession(Session):
    """A connection on which somebody logs in; for cred, the throttle and the lock it is the `Client`."""

    listener: LoginListener
    policy: LoginPolicy

    def __init__(self, listener: LoginListener, protocol: str) -> None:
        super().__init__(listener, protocol)
        self.user: bytes | None = None
        """Who logs in or has logged in, as the client spells it."""
        self.strikes = 0
        self.asking = False
        """True while the portal has the login."""
        self._login_until = listener.clock.seconds() + self.policy.login_timeout
        self._login_timer: IDelayedCall | None = None
        self._log_out: Callable[[], object] = _nothing

    @abc.abstractmethod
    async def challenge(self, text: bytes) -> bytes:
        """Send a SASL challenge; returns the line that answers it, as it is."""

    @abc.abstractmethod
    async def refuse(self, error: MailError) -> None:
        """Answer with a refused login."""

    @abc.abstractmethod
    async def struck_out(self) -> None:
        """The last login that may be refused was refused: end after this."""

    def begin(self, session: Coroutine[Any, Any, None]) -> None:
        """Start the session, and the time in which the client must have logged in."""
        self._login_timer = self.clock.callLater(self.policy.login_timeout, self._login_timed_out)
        super().begin(self._live(session))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end."""
        self._stop_login_timer()
        super().connectionLost(reason)

    def has_marks(self) -> bool:
        """Nothing here marks messages as deleted."""
        return False

    def admit(self, name: bytes | None, log_out: Callable[[], object]) -> None:
        """The login was good: from now on `log_out` is owed."""
        self.user = name
        self._log_out = log_out
        self._stop_login_timer()

    async def leave(self) -> None:
        """End the session's hold on what it logged in to; the second time there is nothing left to do. Never raises."""
        log_out, self._log_out = self._log_out, _nothing
        await log_out_of(log_out)

    def left_to_log_in(self) -> float:
        """Seconds in which the client must have logged in."""
        return self._login_until - self.clock.seconds()

    async def _live(self, session: Coroutine[Any, Any, None]) -> None:
        try:
            await session
        finally:
            await self.leave()

    def _login_timed_out(self) -> None:
        # A login that the portal has is not the client's to hurry; if it is refused, no time is left for another.
        if not self.asking:
            self.out_of_time()

    def _stop_login_timer(self) -> None:
        if self._login_timer is not None and self._login_timer.active():
            self._login_timer.cancel()


async def log_out_of(log_out: Callable[[], object]) -> None:
    """Call what cred's realm gave for the end of a session. Never raises: there is nobody who could do anything about it."""
    try:
        leaving = log_out()
        if isawaitable(leaving):
            await leaving
    except Exception:
        logger.exception("a logout failed")


def _nothing() -> None:
    pass
