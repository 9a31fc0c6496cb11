"""The pool of connections to one endpoint, made for reading many objects at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory

from sesmail.storage.read.connection import Connection
from sesmail.storage.read.transport import Failed, Response

_QUEUE = 20_000


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
        self.paused: set[Connection] = set()
        self._open: set[Connection] = set()
        self._idle: list[Connection] = []
        self._connecting = 0
        self._waiting: deque[Deferred[None]] = deque()
        self._sweep: IDelayedCall | None = None

    @property
    def unused(self) -> bool:
        """True when there is no connection and nobody waits for one."""
        return not (self._open or self._connecting or self._waiting)

    async def get(self, target: str, headers: Sequence[tuple[str, str]]) -> Response:
        """See Transport.get."""
        return await self._send(f"GET {target} HTTP/1.1\r\n{_lines(headers)}\r\n".encode("ascii"))

    async def post(self, target: str, headers: Sequence[tuple[str, str]], body: bytes) -> Response:
        """See Transport.post."""
        head = f"POST {target} HTTP/1.1\r\n{_lines(headers)}Content-Length: {len(body)}\r\n\r\n"
        return await self._send(head.encode("ascii") + body)

    async def _send(self, request: bytes) -> Response:
        while True:
            connection = await self._connection()
            fresh = connection.used == 0
            begun = connection.send(request)
            exchange = connection.exchange
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

    async def _connection(self) -> Connection:
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

    async def _connect(self) -> Connection:
        self._connecting += 1
        try:
            connection: Connection = await self._endpoint.connect(_Opening(self))  # type: ignore[assignment]
        except Exception as error:
            raise Failed(f"cannot connect: {error}") from error
        else:
            self._open.add(connection)
            return connection
        finally:
            self._connecting -= 1
            self._next()

    def connection(self) -> Connection:
        """A new connection's protocol."""
        return Connection(self._clock, self._read_timeout, self)

    def give_back(self, connection: Connection) -> None:
        """An exchange is over; the connection is reused if it lives."""
        if connection.alive:
            connection.idle_since = self._clock.seconds()
            self._idle.append(connection)
            if self._sweep is None:
                self._sweep = self._clock.callLater(self._idle_limit, self._drop_idle)
        else:
            self._open.discard(connection)
        self._next()

    def lost(self, connection: Connection) -> None:
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


def _lines(headers: Sequence[tuple[str, str]]) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


class _Opening(Factory):
    noisy = False

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        return self._pool.connection()
