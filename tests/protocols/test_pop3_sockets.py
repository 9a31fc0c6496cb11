"""POP3 over real sockets: what a memory transport cannot show. TLS, resets, peers that do not read, floods."""

from __future__ import annotations

import poplib
import socket
import ssl
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThread
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from sesmail.protocols.limits import Connections
from sesmail.protocols.pop3.factory import POP3Factory
from sesmail.protocols.pop3.policy import Policy
from tests.protocols.memory import MemoryPost
from tests.servers.certificates import Authority

reactor: Any = _reactor

LOGIN = b"USER joe@example.com\r\nPASS secret\r\n"
CREDENTIALS = ("joe@example.com", "secret")
BIG = b"x" * 998 + b"\r\n"


class Sockets(TestCase):
    """A listener on 127.0.0.1 with a private authority's certificate."""

    timeout = 60

    def setUp(self) -> None:
        directory = Path(tempfile.mkdtemp())
        authority = Authority(directory)
        issued = authority.issue("localhost", "127.0.0.1")
        pem = issued.certificate.read_bytes() + issued.key.read_bytes()
        self.tls = PrivateCertificate.loadPEM(pem).options()
        self.trust = ssl.create_default_context(cafile=str(authority.certificate))
        self.ports: list[Any] = []
        self.factories: list[POP3Factory] = []
        self.addCleanup(self.close)

    async def close(self) -> None:
        for port in self.ports:
            await port.stopListening()
        for factory in self.factories:
            await factory.drain(0.2)
        await self.until(lambda: not any(factory.sessions for factory in self.factories))

    def listen(self, post: MemoryPost, policy: Policy | None = None, *, implicit: bool = False) -> int:
        factory = POP3Factory(
            post.portal, policy or Policy(), Connections(100, 100), tls=self.tls, implicit=implicit, clock=reactor
        )
        self.factories.append(factory)
        wrapped = TLSMemoryBIOFactory(self.tls, False, factory) if implicit else factory
        self.ports.append(reactor.listenTCP(0, wrapped, interface="127.0.0.1"))
        return int(self.ports[-1].getHost().port)

    async def until(self, true: Callable[[], object], seconds: float = 20) -> None:
        ends = reactor.seconds() + seconds
        while not true():
            self.assertLess(reactor.seconds(), ends, "it never came true")
            await deferLater(reactor, 0.01, lambda: None)

    @property
    def sessions(self) -> Any:
        return self.factories[-1].sessions

    # TLS

    async def test_poplib_reads_over_stls_with_a_verified_certificate(self) -> None:
        post = MemoryPost(b"A: b\r\n\r\n.\r\nend\r\n", BIG * 3000)
        port = self.listen(post, Policy(plaintext="never"))

        def read() -> None:
            client = poplib.POP3("localhost", port, timeout=20)
            self.assertNotIn("USER", client.capa())
            client.stls(self.trust)
            self.assertIn("USER", client.capa())
            self.fetch(client, post)

        await deferToThread(read)
        self.assertEqual(post.maildrop.removed, [0])

    async def test_poplib_reads_over_tls(self) -> None:
        post = MemoryPost(b"A: b\r\n\r\n.\r\nend\r\n", BIG * 3000)
        post.maildrop.piece = 70_000
        port = self.listen(post, Policy(plaintext="never"), implicit=True)
        await deferToThread(lambda: self.fetch(poplib.POP3_SSL("localhost", port, timeout=20, context=self.trust), post))
        self.assertEqual(post.maildrop.removed, [0])

    def fetch(self, client: poplib.POP3, post: MemoryPost) -> None:
        client.user(CREDENTIALS[0])
        client.pass_(CREDENTIALS[1])
        for number, message in enumerate(post.maildrop.messages, start=1):
            self.assertEqual(b"".join(line + b"\r\n" for line in client.retr(number)[1]), message)
        client.dele(1)
        self.assertTrue(client.quit().startswith(b"+OK"))

    async def test_what_comes_behind_stls_in_the_clear_is_never_obeyed(self) -> None:
        post = MemoryPost(b"a\r\n")
        port = self.listen(post)

        def inject() -> bytes:
            with connected(port) as client:
                client.sendall(b"STLS\r\n" + LOGIN)
                return everything(client)

        self.assertEqual(await deferToThread(inject), b"")
        self.assertEqual(post.checker.asked, [])

    async def test_what_comes_in_the_clear_after_the_answer_to_stls_is_never_obeyed(self) -> None:
        post = MemoryPost(b"a\r\n")
        port = self.listen(post)

        def inject() -> bytes:
            with connected(port) as client:
                client.sendall(b"STLS\r\n")
                assert client.recv(100) == b"+OK begin TLS\r\n"
                client.sendall(LOGIN)
                return everything(client)

        self.assertNotIn(b"+OK", await deferToThread(inject))
        await self.until(lambda: not self.sessions)
        self.assertEqual(post.checker.asked, [])

    async def test_a_peer_that_never_shakes_hands_is_dropped(self) -> None:
        for implicit in (False, True):
            port = self.listen(MemoryPost(), Policy(login_timeout=0.3, stall=20), implicit=implicit)

            def wait(port: int = port, implicit: bool = implicit) -> bytes:
                with connected(port, greeting=not implicit) as client:
                    if not implicit:
                        client.sendall(b"STLS\r\n")
                        client.recv(100)
                    return everything(client)

            self.assertEqual(await deferToThread(wait), b"")
            await self.until(lambda: not self.sessions)

    async def test_a_peer_that_says_no_goodbye_to_tls_is_dropped(self) -> None:
        port = self.listen(MemoryPost(), Policy(stall=0.3), implicit=True)

        def quit_and_stay() -> ssl.SSLSocket:
            client = self.trust.wrap_socket(socket.create_connection(("127.0.0.1", port), 20), server_hostname="localhost")
            client.sendall(b"QUIT\r\n")
            return client

        client = await deferToThread(quit_and_stay)
        await self.until(lambda: not self.sessions)
        client.close()

    async def test_small_answers_do_not_wait_for_acknowledgements(self) -> None:
        for implicit in (False, True):
            port = self.listen(MemoryPost(), implicit=implicit)
            client = await deferToThread(connected, port, greeting=False)
            await self.until(lambda: self.sessions)
            (session,) = self.sessions
            self.assertTrue(session.transport.getTcpNoDelay())
            client.close()

    # Peers that die

    async def test_a_reset_in_the_middle_of_retr_deletes_nothing(self) -> None:
        post = MemoryPost(BIG * 50_000)
        port = self.listen(post)

        def reset() -> None:
            client = connected(port)
            client.sendall(LOGIN + b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
            client.recv(10_000)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()

        await deferToThread(reset)
        await self.until(lambda: post.realm.logins and not self.sessions)
        self.assertEqual(post.maildrop.removed, [])
        self.assertEqual(post.maildrop.learned, {})
        self.assertEqual(post.realm.logouts, 1)
        self.assertEqual([body.closed for body in post.maildrop.bodies], [1])

    async def test_a_peer_that_leaves_during_its_login_is_logged_out(self) -> None:
        post = MemoryPost()
        post.checker.held = Deferred()
        port = self.listen(post)

        def leave() -> None:
            with connected(port) as client:
                client.sendall(LOGIN)
                client.recv(100)

        await deferToThread(leave)
        await self.until(lambda: next(iter(self.sessions)).gone)
        post.checker.held.callback(None)
        await self.until(lambda: not self.sessions)
        self.assertEqual((post.realm.logins, post.realm.logouts), (1, 1))

    # Peers that do not read

    async def test_a_peer_that_stops_reading_is_dropped_over_tcp_and_tls(self) -> None:
        for implicit in (False, True):
            post = MemoryPost(BIG * 30_000)
            port = self.listen(post, Policy(stall=0.5), implicit=implicit)
            client = await deferToThread(self.stop_reading, port, implicit)
            await self.until(lambda: self.sessions)
            await self.until(lambda: not self.sessions)
            self.assertEqual(post.realm.logouts, 1)
            self.assertEqual(post.maildrop.learned, {})
            client.close()

    def stop_reading(self, port: int, implicit: bool) -> socket.socket:
        client = narrow(port)
        if implicit:
            client = self.trust.wrap_socket(client, server_hostname="localhost")
        client.sendall(LOGIN + b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
        return client

    async def test_a_peer_that_reads_slowly_is_not_a_peer_that_stopped(self) -> None:
        post = MemoryPost(BIG * 8_000)
        port = self.listen(post, Policy(stall=0.5))

        def read_slowly() -> bytes:
            with narrow(port) as client:
                client.sendall(LOGIN + b"RETR 1\r\nQUIT\r\n")
                # Two seconds in all, in which the kernel's buffer never becomes so empty that the transport writes again.
                got = b""
                for _ in range(20):
                    time.sleep(0.1)
                    got += client.recv(2000)
                return got + everything(client)

        self.assertTrue((await deferToThread(read_slowly)).endswith(b"x\r\n.\r\n+OK bye\r\n"))

    async def test_a_small_answer_that_nobody_takes_yet_is_not_quiet(self) -> None:
        port = self.listen(MemoryPost(BIG * 300), Policy())

        def ask() -> socket.socket:
            client = narrow(port)
            client.sendall(LOGIN + b"RETR 1\r\n")
            return client

        client = await deferToThread(ask)
        await self.until(lambda: self.sessions and next(iter(self.sessions)).idle)
        await self.until(lambda: next(iter(self.sessions)).quiet_for() > 0.2)
        await deferToThread(receive, client, 200_000)
        self.assertLess(next(iter(self.sessions)).quiet_for(), 0.2)
        client.close()

    async def test_a_connection_too_many_is_closed_over_tcp_and_tls(self) -> None:
        for implicit in (False, True):
            port = self.listen(MemoryPost(), implicit=implicit)
            self.factories[-1]._listener.connections.total = 1
            first = await deferToThread(connected, port, greeting=False)
            await self.until(lambda: self.sessions)

            def try_(port: int = port) -> bytes:
                with connected(port, greeting=False) as client:
                    return everything(client)

            self.assertEqual(await deferToThread(try_), b"")
            self.assertEqual(len(self.sessions), 1)
            first.close()

    # Floods

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
                self.assertLess(len(session._input), 64 * 1024 + 64 * 1024 + 1)
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
    """The longest that the reactor kept a ticker waiting."""

    def __init__(self) -> None:
        self._longest = 0.0
        self._last = time.perf_counter()
        self._ticks = LoopingCall(self._tick)
        self._ticks.start(0.005).addErrback(lambda failure: failure.trap())

    def _tick(self) -> None:
        now = time.perf_counter()
        self._longest, self._last = max(self._longest, now - self._last), now

    def stop(self) -> float:
        if self._ticks.running:
            self._ticks.stop()
        return self._longest


def connected(port: int, *, greeting: bool = True) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), 20)
    if greeting:
        assert client.recv(100).startswith(b"+OK")
    return client


def narrow(port: int) -> socket.socket:
    """A connection whose kernel takes little that is not read."""
    client = socket.socket()
    client.settimeout(20)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    return client


def receive(client: socket.socket, octets: int) -> bytes:
    got = b""
    while len(got) < octets:
        got += client.recv(65536) or b"?" * octets
    return got


def everything(client: socket.socket) -> bytes:
    got: list[bytes] = []
    try:
        while piece := client.recv(65536):
            got.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(got)
