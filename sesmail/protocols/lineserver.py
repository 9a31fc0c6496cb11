"""The base of every line protocol here: one session coroutine pulls its input, so commands run one after the other.

Twisted's protocols are called with each line and start a command while the last one still runs. Here a session asks for the next
line when it is ready for it, and what a client sends meanwhile waits in a bounded buffer.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from sesmail.protocols.inlet import Inlet
from sesmail.protocols.outlet import Connection, Outlet

T = TypeVar("T")

# So many lines may be obeyed in one go; then others get their turn.
_LINES_IN_A_ROW = 32
_HTTP = re.compile(rb"(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|TRACE|CONNECT) \S+ HTTP/", re.IGNORECASE)

logger = logging.getLogger(__name__)


class Gone(Exception):
    """The connection is dead. Raised into the session wherever it waits, so that nothing queued is obeyed any more."""


class LineServer(Protocol):
    """Comes before Twisted's class in the MRO and takes `dataReceived` from it.

    A subclass calls `begin` in `connectionMade` with its session. When the session returns, the connection is closed after
    what was pushed has gone out; when it raises, the connection is aborted. Every timer ends in `abortConnection`, since
    `loseConnection` never drops a peer that does not read.
    """

    transport: Connection  # type: ignore[assignment]

    def __init__(self, clock: IReactorTime, *, stall: float, backlog: int, secure: bool) -> None:
        self.clock = clock
        self.secure = secure
        """True under TLS."""
        self.gone = False
        """True once the connection is dead."""
        self.over: Deferred[None] = Deferred()
        """Fires when the session has ended and the transport is done with the connection."""
        self._disconnected: Deferred[None] = Deferred()
        self._outlet = Outlet(clock, stall, stalled=self.abort, lost=self._die, opened=self._make_room)
        self._inlet = Inlet(backlog)
        self._first_line = True
        self._in_a_row = 0
        self._for_input: Deferred[None] | None = None
        self._until = 0.0
        self._timer: IDelayedCall | None = None
        self._for_room: Deferred[None] | None = None
        self._waiting: set[Deferred[Any]] = set()
        self._quiet_since = clock.seconds()
        self._moved = 0
        self._parting = False

    def begin(self, session: Coroutine[Any, Any, None]) -> None:
        """Start the session: the one coroutine that reads and answers."""
        self._inlet.attach(self.transport)
        self._outlet.attach(self.transport)
        Deferred.fromCoroutine(self._run(session))

    async def _run(self, session: Coroutine[Any, Any, None]) -> None:
        try:
            await session
        except Gone:
            pass
        except Exception:
            logger.exception("a session ended by an error of ours")
            self.abort()
        else:
            self._close()
        await self._disconnected
        self.over.callback(None)

    # What the session calls.

    async def read_line(self, limit: int, patience: float) -> bytes:
        """The next line without its end, which is CRLF or LF.

        Raises LineTooLong above `limit` octets, line end included, and Gone when the client is. After `patience` seconds
        without a whole line the client is out of time, however many octets came.
        """
        until = self.clock.seconds() + patience
        self._check()
        while (line := self._inlet.line(limit)) is None:
            self._go_quiet()
            await self._more_input(until)
        if self._first_line and _HTTP.match(line):
            # A web page can make a browser send commands to any port; they come as the body of a request.
            self.abort()
            raise Gone
        self._first_line = False
        await self._take_turns()
        return line

    async def read_piece(self, most: int, patience: float) -> bytes:
        """The next octets whatever they are, at least one, at most `most`.

        Raises Gone. When nothing came for `patience` seconds the client is out of time. What the caller has no use for goes to
        `put_back`.
        """
        until = self.clock.seconds() + patience
        self._check()
        while not (piece := self._inlet.piece(most)):
            self._quiet_since = self.clock.seconds()
            await self._more_input(until)
        return piece

    async def hold_during(self, work: Coroutine[Any, Any, None]) -> None:
        """Await `work` to its end, whatever the client does; when that takes a while, no more is read meanwhile."""
        working = Deferred.fromCoroutine(work)
        if not working.called:
            self._inlet.stop()
        await working

    def put_back(self, octets: bytes) -> None:
        """These are read next."""
        self._inlet.put_back(octets)

    async def push(self, *pieces: bytes) -> None:
        """Send octets in one write; returns when the transport takes more. Raises Gone."""
        self._check()
        self._outlet.write(*pieces)
        if self._outlet.full:
            self._for_room = self._wait()
            await self._for_room
        self._check()

    async def sleep(self, seconds: float) -> None:
        """Wait while input is still read, but not obeyed. Raises Gone when the client leaves."""
        waiting: Deferred[None] = self._wait()
        timer = self.clock.callLater(seconds, self._wake, waiting)
        try:
            await waiting
        finally:
            if timer.active():
                timer.cancel()

    async def pause(self) -> None:
        """Let the reactor do something else. Work that must be ended though the client has left may use it too."""
        turn: Deferred[None] = Deferred()
        self.clock.callLater(0, turn.callback, None)
        await turn

    async def while_connected(self, work: Coroutine[Any, Any, T], late: Callable[[T], object]) -> T:
        """Await `work`, but raise Gone at once when the client leaves; what `work` gives after that goes to `late`."""
        if self.gone:
            work.close()
            raise Gone
        waiting: Deferred[T] = self._wait()

        def done(result: T | Failure) -> None:
            if waiting in self._waiting:
                self._wake(waiting, result)
            elif not isinstance(result, Failure):
                late(result)

        Deferred.fromCoroutine(work).addBoth(done)
        return await waiting

    async def start_tls(self, tls: IOpenSSLServerConnectionCreator, agreed: bytes) -> None:
        """Answer `agreed` and go on under TLS. Raises Gone when anything came in the clear behind the command."""
        # RFC 2595 section 4, RFC 3207 section 6: what came before TLS must not be obeyed after it.
        self._check_no_input()
        await self.push(agreed)
        self._check_no_input()
        self.transport.startTLS(tls)
        self.secure = True

    def abort(self) -> None:
        """Drop the connection at once, with all that is in its buffers."""
        self._die()
        if not self._disconnected.called:
            self.transport.abortConnection()

    def hang_up(self, last_words: bytes = b"") -> None:
        """Close after what was pushed, and `last_words`, have gone out. The session, wherever it waits, hears that the client is
        gone."""
        if not self.gone:
            if last_words:
                self._outlet.write(last_words)
            self._die()
            self._outlet.close()

    def out_of_time(self) -> None:
        """The client let the session wait too long: drop it."""
        self.abort()

    def part(self) -> None:
        """Drop a connection that was hung up and whose peer has everything, but says no goodbye, at the second call that finds it so.

        The last words may still be on their way to the kernel, which the first call cannot see.
        """
        moved = self._outlet.moved()
        if self.gone and moved is not None and not moved.outstanding:
            if self._parting:
                self.abort()
            self._parting = True

    @property
    def idle(self) -> bool:
        """True while the session waits for the client and nothing that it could obey is there."""
        return self._for_input is not None

    @property
    def unread(self) -> int:
        """Octets that the client sent and nobody has read."""
        return len(self._inlet)

    def quiet_for(self) -> float:
        """Seconds since the last command ended or the client last took an octet; 0.0 while a command runs or waits."""
        if not self.idle:
            return 0.0
        moved = self._outlet.moved()
        # A slow peer is still taking what the kernel holds of the last answer.
        if moved is not None and moved.outstanding and moved.octets != self._moved:
            self._go_quiet()
        return self.clock.seconds() - self._quiet_since

    # What Twisted calls.

    def dataReceived(self, data: bytes) -> None:
        """Keep input for the session; hold the client back when too much of it waits."""
        self._inlet.add(data)
        if self._for_input is not None:
            self._wake(self._for_input)
        if self._for_input is None:
            self._inlet.hold()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end: nothing that still waits is obeyed."""
        self._die()
        self._outlet.stop()
        self._disconnected.callback(None)

    # How it is done.

    async def _more_input(self, until: float) -> None:
        self._inlet.let_in()
        self._in_a_row = 0
        self._for_input = self._wait()
        self._until = until
        self._watch()
        try:
            await self._for_input
        finally:
            self._for_input = None
        self._check()

    def _watch(self) -> None:
        # The timer of an earlier wait will do, when it is over before this one: one for each line would cost more than the line.
        if self._timer is not None and self._timer.getTime() > self._until:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self.clock.callLater(max(0.0, self._until - self.clock.seconds()), self._look)

    def _look(self) -> None:
        self._timer = None
        if self._for_input is None:
            return
        if self.clock.seconds() >= self._until:
            self.out_of_time()
        else:
            self._watch()

    def _go_quiet(self) -> None:
        moved = self._outlet.moved()
        self._moved = moved.octets if moved is not None else 0
        self._quiet_since = self.clock.seconds()

    async def _take_turns(self) -> None:
        self._in_a_row += 1
        if self._in_a_row > _LINES_IN_A_ROW:
            self._in_a_row = 0
            await self.pause()
            self._check()

    def _make_room(self) -> None:
        if self._for_room is not None:
            self._wake(self._for_room)

    def _wait(self) -> Deferred[Any]:
        self._check()
        waiting: Deferred[Any] = Deferred()
        self._waiting.add(waiting)
        return waiting

    def _wake(self, waiting: Deferred[Any], result: object = None) -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)
            waiting.callback(result)

    def _check(self) -> None:
        if self.gone:
            raise Gone

    def _check_no_input(self) -> None:
        if len(self._inlet):
            self.abort()
            raise Gone

    def _die(self) -> None:
        self.gone = True
        self._inlet.shut()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, set()
        for each in waiting:
            each.errback(Gone())

    def _close(self) -> None:
        # A closing TLS connection must read the peer's goodbye.
        self._inlet.let_in()
        self.hang_up()
