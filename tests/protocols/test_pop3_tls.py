"""POP3 under TLS, from the first octet and by STLS, over real sockets."""

from __future__ import annotations

import poplib
import socket
import ssl

from twisted.internet.threads import deferToThread

from sesmail.protocols.pop3.policy import Policy
from tests.protocols.memory import MemoryPost
from tests.protocols.sockets import BIG, CREDENTIALS, Sockets, connected, everything
from tests.protocols.spoken import LOGIN


class Tls(Sockets):
    """POP3 under TLS, from the first octet and by STLS, over real sockets."""

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

    async def test_last_words_at_a_stop_arrive_however_soon_the_connection_is_to_be_dropped(self) -> None:
        port = self.listen(MemoryPost(), implicit=True)

        def enter() -> ssl.SSLSocket:
            client = self.trust.wrap_socket(socket.create_connection(("127.0.0.1", port), 20), server_hostname="localhost")
            client.recv(100)
            return client

        client = await deferToThread(enter)
        (session,) = self.sessions
        session.hang_up(b"+OK bye\r\n")
        session.part()
        self.assertEqual(await deferToThread(client.recv, 100), b"+OK bye\r\n")
        # The client's kernel takes its time to say that it has them.
        await self.until(lambda: session.part() or not self.sessions)
        client.close()

    async def test_small_answers_do_not_wait_for_acknowledgements(self) -> None:
        for implicit in (False, True):
            port = self.listen(MemoryPost(), implicit=implicit)
            client = await deferToThread(connected, port, greeting=False)
            await self.until(lambda: self.sessions)
            (session,) = self.sessions
            self.assertTrue(session.transport.getTcpNoDelay())
            client.close()
