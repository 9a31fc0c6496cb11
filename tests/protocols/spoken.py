"""A session in memory, with a clock that is turned by hand."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from sesmail.protocols.limits import Connections
from sesmail.protocols.pop3.factory import POP3Factory
from sesmail.protocols.pop3.policy import Policy
from sesmail.protocols.pop3.server import POP3Session
from tests.protocols.memory import MemoryBody, MemoryPost

LOGIN = b"USER joe@example.com\r\nPASS secret\r\n"
WRONG = b"USER joe@example.com\r\nPASS wrong\r\n"
REFUSED = b"-ERR [AUTH] invalid login or password\r\n"


class MemoryTransport(StringTransport):
    """Remembers what became of it."""

    producer: Any

    def __init__(self, peer: str = "127.0.0.1") -> None:
        super().__init__(peerAddress=IPv4Address("TCP", peer, 50000))
        self.aborted = False
        self.tls: object = None
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        super().write(data)

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def abortConnection(self) -> None:
        self.aborted = True

    def startTLS(self, tls: object) -> None:
        self.tls = tls

    @property
    def closed(self) -> bool:
        return self.aborted or bool(self.disconnecting)


@implementer(IOpenSSLServerConnectionCreator)
class NoTLS:
    """Stands for a certificate; in memory nobody shakes hands."""

    def serverConnectionForTLS(self, tlsProtocol: object) -> Any:
        raise NotImplementedError


class Spoken:
    """One session in memory, with a clock that is turned by hand."""

    def __init__(
        self,
        post: MemoryPost,
        policy: Policy | None = None,
        *,
        peer: str = "127.0.0.1",
        stls: bool = False,
        implicit: bool = False,
    ) -> None:
        self.post = post
        self.clock = Clock()
        self.factory = POP3Factory(
            post.portal,
            policy or Policy(strike_delay=0),
            Connections(100, 100),
            tls=NoTLS() if stls else None,
            implicit=implicit,
            clock=self.clock,
        )
        self.transport = MemoryTransport(peer)
        self.session: POP3Session = self.factory.buildProtocol(None)
        self.session.makeConnection(self.transport)

    def say(self, octets: bytes) -> bytes:
        """Send octets in one read; returns what was answered by then."""
        self.transport.clear()
        self.session.dataReceived(octets)
        self.settle()
        return bytes(self.transport.value())

    def settle(self) -> None:
        """Let everybody have his turn, without time passing."""
        for _ in range(50):
            self.clock.advance(0)

    def log_in(self) -> None:
        assert self.say(LOGIN).count(b"+OK") == 2

    def lose(self) -> None:
        """The connection breaks, in the order in which Twisted tells."""
        producer = self.transport.producer
        if producer is not None:
            producer.stopProducing()
        self.session.connectionLost()


def session(*messages: bytes, policy: Policy | None = None, logged_in: bool = True) -> Spoken:
    spoken = Spoken(MemoryPost(*messages), policy)
    if logged_in:
        spoken.log_in()
    return spoken


def held(piece: bytes = b"a\r\n") -> tuple[Spoken, Deferred[bytes], MemoryBody]:
    """A session in the middle of RETR 1: one piece is out, the next one is waited for, DELE and QUIT are queued."""
    spoken = session(b"a\r\n" * 2)
    coming: Deferred[bytes] = Deferred()
    body = MemoryBody([piece, coming])
    spoken.post.maildrop.body = lambda index: body  # type: ignore[method-assign]
    assert spoken.say(b"RETR 1\r\nDELE 1\r\nQUIT\r\n") == b"+OK 6 octets\r\n" + piece
    return spoken, coming, body
