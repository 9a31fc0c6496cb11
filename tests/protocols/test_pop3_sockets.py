"""POP3 over real sockets with clients that die or do not read."""

from __future__ import annotations

import contextlib
import socket
import struct
import time

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from sesmail.protocols.pop3.policy import Policy
from tests.protocols.memory import MemoryPost
from tests.protocols.sockets import BIG, Sockets, connected, everything, narrow, receive
from tests.protocols.spoken import LOGIN


class Peers(Sockets):
    """POP3 over real sockets with clients that die or do not read."""

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
                # The reset may be there before connect() has returned.
                with contextlib.suppress(ConnectionResetError), connected(port, greeting=False) as client:
                    return everything(client)
                return b""

            self.assertEqual(await deferToThread(try_), b"")
            self.assertEqual(len(self.sessions), 1)
            first.close()
