"""Connections in memory with Twisted's own buffers, back-pressure and TLS, on a clock that is turned by hand."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from unittest.mock import patch

from twisted.internet import main
from twisted.internet._newtls import ConnectionMixin
from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IProtocol
from twisted.internet.task import Clock
from twisted.internet.tcp import _AbortingMixin
from twisted.protocols import tls
from twisted.python.failure import Failure

# What two kernels hold for a peer that does not read, and what a transport reads at once.
KERNEL = 32 * 1024
READ = 64 * 1024


class Turns(Clock):
    """A reactor of which only clock, readers and writers are there."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[object] = set()
        self.writers: set[object] = set()

    def addReader(self, reader: object) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: object) -> None:
        self.readers.discard(reader)

    def addWriter(self, writer: object) -> None:
        self.writers.add(writer)

    def removeWriter(self, writer: object) -> None:
        self.writers.discard(writer)

    def run_out(self, turn: Callable[[], object], calls: int = 20_000) -> None:
        """Let time pass until nothing waits for it, with a `turn` for others in between. Raises TimeoutError when there is no
        end of that."""
        for _ in range(calls):
            turn()
            if not self.calls:
                return
            self.advance(max(0.0, self.calls[0].getTime() - self.seconds()))
        raise TimeoutError(f"after {self.seconds():g} seconds these still wait: {self.calls}")


@contextmanager
def turned_by_hand(clock: Turns) -> Iterator[None]:
    """Newer Twisted lets TLS connections take turns by the reactor's clock; here by this one."""
    with patch.object(tls, "_get_default_clock", lambda: clock, create=True):
        yield


class Wire(ConnectionMixin, _AbortingMixin, FileDescriptor):
    """The server's side of a connection, in place of a socket."""

    _tlsClientDefault = False

    def __init__(self, turns: Turns, peer: str) -> None:
        super().__init__(turns)  # type: ignore[arg-type]
        self._turns = turns
        self.connected = 1
        self.protocol: IProtocol | None = None
        self.on_its_way = bytearray()
        """What the client could read now."""
        self._peer = IPv4Address("TCP", peer, 50000)

    def getPeer(self) -> IPv4Address:
        return self._peer

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 110)

    def writeSomeData(self, data: bytes) -> int:
        taken = data[: max(0, KERNEL - len(self.on_its_way))]
        self.on_its_way += taken
        return len(taken)

    def connectionLost(self, reason: Failure) -> None:
        if not self.disconnected:
            super().connectionLost(reason)
            protocol, self.protocol = self.protocol, None
            assert protocol is not None
            protocol.connectionLost(reason)

    @property
    def held(self) -> int:
        """Octets that wait in the server for a client that does not read."""
        return len(self.dataBuffer) + self._tempDataLen

    def flush(self) -> None:
        """What a reactor does when the socket takes octets."""
        while self in self._turns.writers and len(self.on_its_way) < KERNEL:
            gone = self.doWrite()
            if gone is not None:
                self._turns.removeWriter(self)
                self.connectionLost(Failure(gone))

    def receive(self, data: bytes) -> int:
        """What a reactor does when octets arrive; returns how many were taken, none while the server holds the client back."""
        if not data or self not in self._turns.readers or self.protocol is None:
            return 0
        self.protocol.dataReceived(data[:READ])
        return min(READ, len(data))

    def drop(self, clean: bool) -> None:
        """The client goes."""
        if not self.disconnected:
            self.connectionLost(Failure(main.CONNECTION_DONE if clean else main.CONNECTION_LOST))


class Clear:
    """A client's side without TLS."""

    def __init__(self) -> None:
        self.out = bytearray()

    def say(self, data: bytes) -> None:
        self.out += data

    def hear(self, data: bytes) -> bytes:
        return data

    def bye(self) -> None:
        return


class Secure(Clear):
    """A client's side under TLS. What is said before the handshake is over waits for it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out)
        self._ready = self.over = False
        self._waiting = bytearray()
        self._go_on()

    def say(self, data: bytes) -> None:
        self._waiting += data
        self._go_on()

    def hear(self, data: bytes) -> bytes:
        self._in.write(data)
        self._go_on()
        pieces: list[bytes] = []
        try:
            while self._ready and (piece := self._tls.read(READ)):
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.over = True
        self.out += self._out.read()
        return b"".join(pieces)

    def bye(self) -> None:
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        self.out += self._out.read()

    def _go_on(self) -> None:
        try:
            if not self._ready:
                self._tls.do_handshake()
                self._ready = True
            if self._waiting:
                self._tls.write(bytes(self._waiting))
                self._waiting.clear()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.over = True
        self.out += self._out.read()
