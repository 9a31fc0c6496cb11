"""A mail store and an LMTP session in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from sesmail.interfaces import Hop
from sesmail.mail.outcome import Outcome
from sesmail.protocols.limits import Connections
from sesmail.protocols.smtp.factory import LMTPFactory
from sesmail.protocols.smtp.lmtp import LMTPSession
from sesmail.protocols.smtp.policy import LMTPPolicy
from tests.protocols.spoken import MemoryTransport, NoTLS

GREETING = b"220 mail.example.com LMTP\r\n"
LHLO = b"LHLO mta.example.com\r\n"
TRANSACTION = b"MAIL FROM:<joe@example.com>\r\nRCPT TO:<ann@example.net>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n"
STORED = Outcome(250, "2.1.5", "stored")


@dataclass
class MemoryParcel:
    """A message as it came in, and what became of it."""

    reception: MemoryReception
    sender: str
    recipients: tuple[str, ...]
    hop: Hop
    pieces: list[bytes] = field(default_factory=list)
    finished: bool = False
    discarded: bool = False

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)

    async def write(self, piece: bytes) -> None:
        assert piece
        assert not self.finished
        assert not self.discarded
        await self.reception.asked("write")
        self.pieces.append(piece)

    async def finish(self) -> Mapping[str, Outcome]:
        assert not self.discarded
        await self.reception.asked("finish")
        self.finished = True
        return {recipient: self.reception.outcomes.get(recipient, STORED) for recipient in self.recipients}

    async def discard(self) -> None:
        if not self.finished:
            self.discarded = True


@dataclass
class MemoryReception:
    """Takes everything. What is called `sender`, `recipient`, `begin`, `write` or `finish`, or is one address, fails or waits as told."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failures: dict[str, Exception] = field(default_factory=dict)
    held: dict[str, Deferred[None]] = field(default_factory=dict)
    parcels: list[MemoryParcel] = field(default_factory=list)
    log: list[tuple[object, ...]] = field(default_factory=list)

    async def sender(self, address: str) -> None:
        self.log.append(("sender", address))
        await self.asked("sender", address)

    async def recipient(self, address: str, count: int) -> None:
        self.log.append(("recipient", address, count))
        await self.asked("recipient", address)

    async def begin(self, sender: str, recipients: Sequence[str], hop: Hop) -> MemoryParcel:
        self.log.append(("begin", sender, *recipients))
        await self.asked("begin")
        self.parcels.append(MemoryParcel(self, sender, tuple(recipients), hop))
        return self.parcels[-1]

    async def asked(self, *names: str) -> None:
        for name in names:
            if name in self.held:
                await self.held[name]
            if name in self.failures:
                raise self.failures[name]

    @property
    def taken(self) -> list[MemoryParcel]:
        return [parcel for parcel in self.parcels if parcel.finished]


def policy(**fields: object) -> LMTPPolicy:
    """The usual policy of a server with a name."""
    return LMTPPolicy(**{"hostname": "mail.example.com", **fields})  # type: ignore[arg-type]


class Received:
    """One session in memory. `peer`: an address, or ``unix``."""

    def __init__(
        self,
        reception: MemoryReception | None = None,
        allowed: LMTPPolicy | None = None,
        *,
        peer: str = "unix",
        starttls: bool = False,
        trusted: Sequence[str] = (),
        greeted: bool = True,
    ) -> None:
        self.reception = reception or MemoryReception()
        self.clock = Clock()
        self.factory = LMTPFactory(
            self.reception,
            allowed or policy(),
            Connections(1000, 1000),
            tls=NoTLS() if starttls else None,
            implicit=False,
            clock=self.clock,
            trusted=trusted,
        )
        self.transport = MemoryTransport(peer)
        if peer == "unix":
            self.transport.peerAddr = UNIXAddress(None)
        self.session: LMTPSession = self.factory.buildProtocol(None)
        self.session.makeConnection(self.transport)
        if greeted:
            assert self.settle() == GREETING
            self.transport.clear()

    def say(self, octets: bytes) -> bytes:
        """Send octets in one read; returns what was answered by then."""
        self.transport.clear()
        self.session.dataReceived(octets)
        return self.settle()

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

    def begin_data(self) -> None:
        assert self.say(LHLO + TRANSACTION).endswith(b"354 send the message, then a line with a dot\r\n")

    def lose(self) -> None:
        """The connection breaks, in the order in which Twisted tells."""
        producer = self.transport.producer
        if producer is not None:
            producer.stopProducing()
        self.session.connectionLost()
