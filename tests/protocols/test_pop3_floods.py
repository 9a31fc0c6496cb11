"""POP3 over real sockets under floods and with big maildrops."""

from __future__ import annotations

import poplib
import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from tests.protocols.memory import MemoryPost
from tests.protocols.sockets import CREDENTIALS, Sockets, connected, reactor
from tests.protocols.spoken import LOGIN


class Floods(Sockets):
    """POP3 over real sockets under floods and with big maildrops."""

    async def test_a_flood_behind_a_slow_command_is_held_back(self) -> None:
        post = MemoryPost()
        post.checker.held = Deferred()
        port = self.listen(post)
        flood = LOGIN + b"NOOP\r\n" * 200_000

        def send() -> int:
            with connected(port) as client:
                client.settimeout(1)
                sent = 0
                while sent < len(flood):
                    try:
                        sent += client.send(flood[sent : sent + 4096])
                    except TimeoutError:
                        break
                # What was sent stays in the kernels' buffers, not in ours.
                (session,) = self.sessions
                self.assertLess(len(session._inlet), 64 * 1024 + 64 * 1024 + 1)
                return sent

        await deferToThread(send)
        post.checker.held.callback(None)

    async def test_a_flood_is_answered_whole_and_others_have_their_turn(self) -> None:
        port = self.listen(MemoryPost())
        stalls = Stalls()
        self.addCleanup(stalls.stop)
        count = 200_000

        client = Flood(LOGIN + b"NOOP\r\n" * count + b"QUIT\r\n")
        reactor.connectTCP("127.0.0.1", port, client)
        answers = await client.closed
        self.assertEqual(answers.count(b"+OK"), 1 + 2 + count + 1)
        self.assertLess(stalls.stop(), 0.3)

    async def test_a_listing_of_100_000_messages_does_not_stop_the_others(self) -> None:
        post = MemoryPost()
        post.maildrop.messages = [b"a\r\n"] * 100_000
        port = self.listen(post)
        stalls = Stalls()
        self.addCleanup(stalls.stop)

        def read() -> tuple[int, int]:
            client = poplib.POP3("127.0.0.1", port, timeout=20)
            client.user(CREDENTIALS[0])
            client.pass_(CREDENTIALS[1])
            return len(client.list()[1]), len(client.uidl()[1])

        self.assertEqual(await deferToThread(read), (100_000, 100_000))
        # 20 ms on a quiet machine; the client's thread takes its turns at the interpreter too.
        self.assertLess(stalls.stop(), 0.3)


class Flood(ClientFactory, Protocol):
    """Sends all it has at once and fires `closed` with all it got."""

    noisy = False

    def __init__(self, data: bytes) -> None:
        self.closed: Deferred[bytes] = Deferred()
        self._data = data
        self._got = bytearray()

    def buildProtocol(self, addr: Any) -> Any:
        return self

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._data)

    def dataReceived(self, data: bytes) -> None:
        self._got += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed.callback(bytes(self._got))


class Stalls:
    """The longest that the reactor kept a ticker waiting, in seconds of work: what else the machine does is not counted."""

    def __init__(self) -> None:
        self._longest = 0.0
        self._last = time.process_time()
        self._ticks = LoopingCall(self._tick)
        self._ticks.start(0.005).addErrback(lambda failure: failure.trap())

    def _tick(self) -> None:
        now = time.process_time()
        self._longest, self._last = max(self._longest, now - self._last), now

    def stop(self) -> float:
        if self._ticks.running:
            self._ticks.stop()
        return self._longest
