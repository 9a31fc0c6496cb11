"""One keep-alive HTTP/1.1 connection, one exchange at a time, with back-pressure down to the socket."""

from __future__ import annotations

from typing import Any
from typing import Protocol as Shape

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection as Socket
from twisted.python.failure import Failure

from sesmail.storage.read.framing import Broken, Framing, Head
from sesmail.storage.read.transport import Failed

HIGH_WATER = 256 * 1024
# So many seconds a connection is kept for somebody who does not read, and so many when others wait for one.
PARK = 5.0
PARK_WANTED = 0.5


class Owner(Shape):
    """Who made a connection and takes it back."""

    paused: set[Connection]
    """Those whose answers nobody reads just now."""

    @property
    def wanted(self) -> bool:
        """True while somebody waits for a connection."""

    def give_back(self, connection: Connection) -> None:
        """An exchange is over; the connection is reused if it lives."""

    def lost(self, connection: Connection) -> None:
        """The connection is gone."""


class Connection(Protocol):
    """One keep-alive connection: one exchange at a time, the response read as it comes."""

    def __init__(self, clock: IReactorTime, read_timeout: float, pool: Owner) -> None:
        self._clock = clock
        self._read_timeout = read_timeout
        self._pool = pool
        self._timer: IDelayedCall | None = None
        self.exchange: Exchange | None = None
        self.alive = False
        self._direct = False
        self.used = 0
        self.idle_since = 0.0
        self.paused_since = 0.0

    def connectionMade(self) -> None:
        self.alive = True
        # Below TLS there is a socket, too, and must not be written to.
        self._direct = isinstance(self.transport, Socket) and not self.transport.TLS
        self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]

    def send(self, request: bytes) -> Deferred[Exchange]:
        self.used += 1
        exchange = self.exchange = Exchange(self)
        self._wait()
        self._write(request)
        return exchange.begun

    def _write(self, request: bytes) -> None:
        """At once where it can be: to hear from the reactor first that a socket can be written to costs as much as the rest of a request.
        Only where nothing was written otherwise, which may still wait."""
        transport: Any = self.transport
        sent: Any = transport.writeSomeData(request) if self._direct else 0
        # It returns what was wrong with the connection, of which the reactor tells, too.
        if sent != len(request):
            self._direct = False
            transport.write(request[sent:] if isinstance(sent, int) else request)

    def dataReceived(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            self.abort()  # a server that speaks unasked would be heard as the answer to the next request
            return
        if self._timer is not None:
            self._timer.reset(self._read_timeout)
        try:
            exchange.received(data)
        except Broken as error:
            self.abort()
            self._fail(Failed(str(error)))

    def finished(self, reusable: bool) -> None:
        """The exchange has its last byte, or nobody wants the rest."""
        self.exchange = None
        self._pool.paused.discard(self)
        if not reusable:
            self.abort()
        self._pool.give_back(self)

    def pause(self) -> None:
        """Nobody reads. After a while the connection is worth more to others: the reader may ask for the rest anew."""
        self.paused_since = self._clock.seconds()
        if self._timer is not None:
            self._timer.reset(PARK_WANTED if self._pool.wanted else PARK)
        self._pool.paused.add(self)
        self.transport.pauseProducing()  # type: ignore[union-attr]

    def hurry(self) -> None:
        """Somebody waits for a connection, and nobody reads from this one."""
        until = self.paused_since + PARK_WANTED
        if self._timer is not None and self._timer.getTime() > until:
            self._timer.reset(max(0.0, until - self._clock.seconds()))

    def resume(self) -> None:
        self._pool.paused.discard(self)
        if self._timer is not None:
            self._timer.reset(self._read_timeout)
        self.transport.resumeProducing()  # type: ignore[union-attr]

    def abort(self) -> None:
        self.alive = False
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.alive = False
        self._pool.paused.discard(self)
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        exchange = self.exchange
        if exchange is not None and exchange.ends_with_connection and reason is not None and reason.check(ConnectionDone):
            exchange.received_all()
        self._fail(Failed("the connection was lost"))
        self._pool.lost(self)

    def _fail(self, error: Failed) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.failed(error)
            self._pool.give_back(self)

    def _wait(self) -> None:
        # The timer runs on between exchanges: to put one off costs next to nothing beside ending it and making another.
        if self._timer is None:
            self._timer = self._clock.callLater(self._read_timeout, self._timed_out)
        else:
            self._timer.reset(self._read_timeout)

    def _timed_out(self) -> None:
        self._timer = None
        if self.exchange is not None:
            self._pool.paused.discard(self)
            self.abort()
            self._fail(Failed(f"no answer within {self._read_timeout:g} s"))


class Exchange:
    """One request's answer: the head fires `begun`, the body is pulled by `read`."""

    status = 0
    headers: dict[bytes, bytes] = {}

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        self.begun: Deferred[Exchange] = Deferred(lambda _: self.close())
        self._framing = Framing()
        self._pieces: list[bytes] = []
        self._held = 0
        self._ended = False
        self._paused = False
        self._error: Failed | None = None
        self._reader: Deferred[None] | None = None

    @property
    def untouched(self) -> bool:
        """No byte of an answer has come."""
        return self._framing.untouched

    @property
    def ends_with_connection(self) -> bool:
        return self._framing.until_close

    def received(self, data: bytes) -> None:
        head = None if self.status else self._framing.head(data)
        if head is not None:
            self._head(head)
            data = b""
        if not self.status:
            return
        for piece in self._framing.body(data):
            self._pieces.append(piece)
            self._held += len(piece)
        if self._framing.complete:
            self.received_all()
        elif self._held > HIGH_WATER and not self._paused and self._connection is not None:
            self._paused = True
            self._connection.pause()
        self._wake()

    def _head(self, head: Head) -> None:
        self.status, self.headers = head
        if not self.begun.called:
            self.begun.callback(self)

    def received_all(self) -> None:
        self._ended = True
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.finished(self._framing.reusable)
        self._wake()

    def failed(self, error: Failed) -> None:
        self._connection = None
        self._error = error
        if not self.begun.called:
            self.begun.errback(error)
        self._wake()

    async def read(self) -> bytes:
        while not self._pieces and not self._ended and self._error is None:
            self._reader = Deferred()
            await self._reader
        if not self._pieces and self._error is not None:
            raise self._error
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        if self._paused and self._connection is not None:
            self._paused = False
            self._connection.resume()
        return data

    def close(self) -> None:
        self._pieces.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            self._error = Failed("closed")
            connection.finished(reusable=False)

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.called:
            reader.callback(None)
