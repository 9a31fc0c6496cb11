"""An SMTP session in memory, with a clock that is turned by hand."""

from __future__ import annotations

from twisted.internet.task import Clock

from sesmail.protocols.limits import Connections
from sesmail.protocols.smtp.factory import SubmissionFactory
from sesmail.protocols.smtp.policy import Policy
from sesmail.protocols.smtp.submitting import SubmissionSession
from tests.protocols.spoken import MemoryTransport, NoTLS
from tests.protocols.submission import MemorySubmission, SubmissionPost

HOSTNAME = "mail.example.com"
GREETING = b"220 mail.example.com ESMTP\r\n"
LOGIN = b"AUTH PLAIN AGpvZUBleGFtcGxlLmNvbQBzZWNyZXQ=\r\n"
WRONG = b"AUTH PLAIN AGpvZUBleGFtcGxlLmNvbQB3cm9uZw==\r\n"
TRANSACTION = b"MAIL FROM:<joe@example.com>\r\nRCPT TO:<ann@example.net>\r\nDATA\r\n"
STOPPING = b"421 4.3.2 service is stopping, try again later\r\n"


def policy(**fields: object) -> Policy:
    """The usual policy without its delays."""
    return Policy(**{"hostname": HOSTNAME, "strike_delay": 0, **fields})  # type: ignore[arg-type]


class Submitted:
    """One session in memory. `implicit`: under TLS from the start. `starttls`: TLS is offered."""

    def __init__(
        self,
        post: SubmissionPost | None = None,
        allowed: Policy | None = None,
        *,
        peer: str = "192.0.2.1",
        implicit: bool = True,
        starttls: bool = False,
        greeted: bool = True,
    ) -> None:
        self.post = post or SubmissionPost()
        self.clock = Clock()
        self.factory = SubmissionFactory(
            self.post.portal,
            allowed or policy(),
            Connections(1000, 1000),
            tls=NoTLS() if starttls else None,
            implicit=implicit,
            clock=self.clock,
        )
        self.transport = MemoryTransport(peer)
        self.session: SubmissionSession = self.factory.buildProtocol(None)
        self.session.makeConnection(self.transport)
        if greeted:
            self.settle()
            assert self.transport.value() == GREETING
            self.transport.clear()

    @property
    def submission(self) -> MemorySubmission:
        return self.post.submission

    def say(self, octets: bytes) -> bytes:
        """Send octets in one read; returns what was answered by then."""
        self.transport.clear()
        self.session.dataReceived(octets)
        self.settle()
        return bytes(self.transport.value())

    def settle(self) -> bytes:
        """Let everybody have his turn, without time passing; returns what is answered by then."""
        while any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()):
            self.clock.advance(0)
        return bytes(self.transport.value())

    def wait(self, seconds: float) -> bytes:
        """Let time pass; returns what was answered meanwhile."""
        self.transport.clear()
        self.clock.advance(seconds)
        return self.settle()

    def start_tls(self) -> None:
        assert self.say(b"EHLO client.example.com\r\nSTARTTLS\r\n").endswith(b"220 2.0.0 begin TLS\r\n")
        assert self.transport.tls is not None
        self.transport.clear()

    def log_in(self) -> None:
        assert self.say(b"EHLO client.example.com\r\n" + LOGIN).endswith(b"235 2.7.0 logged in\r\n")
        self.transport.clear()

    def begin_data(self) -> None:
        assert codes(self.say(TRANSACTION)) == [250, 250, 354]

    def lose(self) -> None:
        """The connection breaks, in the order in which Twisted tells."""
        producer = self.transport.producer
        if producer is not None:
            producer.stopProducing()
        self.session.connectionLost()


def codes(replies: bytes) -> list[int]:
    """The codes of these replies, one for each."""
    return [int(line[:3]) for line in replies.splitlines() if line[3:4] == b" "]


def logged_in(allowed: Policy | None = None) -> Submitted:
    spoken = Submitted(allowed=allowed)
    spoken.log_in()
    return spoken
