"""A pooled HTTP/1.1 client for GETs that streams with back-pressure, made for reading many objects at once.

It knows what S3 servers send: Content-Length, chunked and until-close bodies, keep-alive. It follows nothing and stores nothing.
Redirects, retries and the meaning of a status belong to who asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol as Shape

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from sesmail.storage.read.framing import Broken, Framing, Head

HIGH_WATER = 256 * 1024
LOW_WATER = 64 * 1024
# So many seconds a connection is kept for somebody who does not read, and so many when others wait for one.
PARK = 5.0
PARK_WANTED = 0.5
_QUEUE = 20_000


class Failed(Exception):
    """No (whole) response came: connection refused or reset, a timeout, or bytes that are not HTTP. Asking again may help."""


class Response(Shape):
    """A status, headers (names in lower case) and the body, pulled piece by piece."""

    status: int
    headers: dict[bytes, bytes]

    async def read(self) -> bytes:
        """The next piece of the body, ``b""`` after the last. Raises Failed when it ends short."""

    def close(self) -> None:
        """Give up the rest. A connection whose body was not read to its end is not used again."""


class Transport(Shape):
    """Sends a GET; `headers` include the host."""

    async def get(self, target: str, headers: Sequence[tuple[str, str]]) -> Response:
        """Raises Failed."""

    def close(self) -> None:
        """Drop every connection; requests under way fail."""


class _Connection(Protocol):
    """One keep-alive connection: one exchange at a time, the response read as it comes."""

    def __init__(self, clock: IReactorTime, read_timeout: float, pool: Pool) -> None:
        self._clock = clock
        self._read_timeout = read_timeout
        self._pool = pool
        self._timer: IDelayedCall | None = None
        self._exchange: _Exchange | None = None
        self.alive = False
        self.used = 0
        self.idle_since = 0.0
        self.paused_since = 0.0

    def connectionMade(self) -> None:
        self.alive = True
        self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]

    def send(self, target: str, headers: Sequence[tuple[str, str]]) -> Deferred[_Exchange]:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        self.used += 1
        exchange = self._exchange = _Exchange(self)
        self._wait()
        self.transport.write(f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode("ascii"))  # type: ignore[union-attr]
        return exchange.begun

    def dataReceived(self, data: bytes) -> None:
        exchange = self._exchange
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
        self._exchange = None
        self._rest()
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
        self._rest()
        exchange = self._exchange
        if exchange is not None and exchange.ends_with_connection and reason is not None and reason.check(ConnectionDone):
            exchange.received_all()
        self._fail(Failed("the connection was lost"))
        self._pool.lost(self)

    def _fail(self, error: Failed) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.failed(error)
            self._pool.give_back(self)

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self._clock.callLater(self._read_timeout, self._timed_out)

    def _rest(self) -> None:
        self._pool.paused.discard(self)
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _timed_out(self) -> None:
        self._timer = None
        self._pool.paused.discard(self)
        self.abort()
        self._fail(Failed(f"no answer within {self._read_timeout:g} s"))


class _Exchange:
    """One request's answer: the head fires `begun`, the body is pulled by `read`."""

    status = 0
    headers: dict[bytes, bytes] = {}

    def __init__(self, connection: _Connection) -> None:
        self._connection: _Connection | None = connection
        self.begun: Deferred[_Exchange] = Deferred(lambda _: self.close())
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


class Pool:
    """Connections to one endpoint: at most `size`, reused last in first out, further requests wait in line.

    `endpoint` connects (and speaks TLS where wanted). A connection that was idle for `idle` seconds is not used again, since
    servers drop such connections at about the same time. A request that finds its reused connection dead is sent once more.
    """

    def __init__(
        self, clock: IReactorTime, endpoint: IStreamClientEndpoint, *, size: int, read_timeout: float, idle: float = 15
    ) -> None:
        self._clock = clock
        self._endpoint = endpoint
        self._size = size
        self._read_timeout = read_timeout
        self._idle_limit = idle
        self.paused: set[_Connection] = set()
        self._open: set[_Connection] = set()
        self._idle: list[_Connection] = []
        self._connecting = 0
        self._waiting: deque[Deferred[None]] = deque()
        self._sweep: IDelayedCall | None = None

    @property
    def unused(self) -> bool:
        """True when there is no connection and nobody waits for one."""
        return not (self._open or self._connecting or self._waiting)

    async def get(self, target: str, headers: Sequence[tuple[str, str]]) -> Response:
        """See Transport.get."""
        while True:
            connection = await self._connection()
            fresh = connection.used == 0
            begun = connection.send(target, headers)
            exchange = connection._exchange
            try:
                return await begun
            except Failed:
                if fresh or exchange is None or not exchange.untouched:
                    raise

    def close(self) -> None:
        """See Transport.close."""
        for connection in list(self._open):
            connection.abort()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for a connection."""
        return bool(self._waiting)

    async def _connection(self) -> _Connection:
        while True:
            while self._idle:
                connection = self._idle.pop()
                if connection.alive:
                    return connection
            if len(self._open) + self._connecting < self._size:
                return await self._connect()
            await self._turn()

    async def _turn(self) -> None:
        if len(self._waiting) >= _QUEUE:
            raise Failed("too many requests wait for this endpoint")
        turn: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(turn)
        for connection in self.paused:
            connection.hurry()
        turn.addTimeout(self._read_timeout, self._clock)
        try:
            await turn
        except DeferredTimeout as error:
            raise Failed("no free connection to this endpoint") from error

    async def _connect(self) -> _Connection:
        self._connecting += 1
        try:
            connection: _Connection = await self._endpoint.connect(_Connections(self))  # type: ignore[assignment]
        except Exception as error:
            raise Failed(f"cannot connect: {error}") from error
        else:
            self._open.add(connection)
            return connection
        finally:
            self._connecting -= 1
            self._next()

    def connection(self) -> _Connection:
        """A new connection's protocol."""
        return _Connection(self._clock, self._read_timeout, self)

    def give_back(self, connection: _Connection) -> None:
        """An exchange is over; the connection is reused if it lives."""
        if connection.alive:
            connection.idle_since = self._clock.seconds()
            self._idle.append(connection)
            if self._sweep is None:
                self._sweep = self._clock.callLater(self._idle_limit, self._drop_idle)
        else:
            self._open.discard(connection)
        self._next()

    def lost(self, connection: _Connection) -> None:
        """The connection is gone."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._next()

    def _next(self) -> None:
        free = self._size - len(self._open) - self._connecting + len(self._idle)
        while self._waiting and free > 0:
            free -= 1
            self._waiting.popleft().callback(None)

    def _drop_idle(self) -> None:
        self._sweep = None
        cutoff = self._clock.seconds() - self._idle_limit
        for connection in [one for one in self._idle if one.idle_since <= cutoff]:
            self._idle.remove(connection)
            self._open.discard(connection)
            connection.abort()
        if self._idle:
            self._sweep = self._clock.callLater(self._idle_limit, self._drop_idle)


class _Connections(Factory):
    noisy = False

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def buildProtocol(self, addr: IAddress | None) -> _Connection:
        return self._pool.connection()
