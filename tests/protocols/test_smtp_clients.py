"""Real programs submit over both ways of TLS, checking the certificate, and every octet arrives."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

from sesmail.protocols.limits import Connections
from sesmail.protocols.smtp.factory import SubmissionFactory
from sesmail.protocols.smtp.policy import Policy
from tests.clients.programs import run
from tests.protocols.smtpdialogs import SMTPDialog
from tests.protocols.sockets import CREDENTIALS, Sockets, everything, reactor
from tests.protocols.submission import MemoryLetter, SubmissionPost
from tests.protocols.submitted import LOGIN, TRANSACTION, codes, policy

DIALOGS = Path(__file__).parents[1] / "dialogs"
USER, PASSWORD = CREDENTIALS
MESSAGE = (
    b"From: Joe <joe@example.com>\r\nTo: ann@example.net\r\nSubject: dots\r\n\r\n"
    b".\r\n..\r\n.begins\r\nends .\r\n\r\n.\r\nMAIL FROM:<evil@example.com>\r\n" + b"y" * 900 + b"\r\nlast\r\n"
)
HARD = MESSAGE + b"\xe4\xf6\x00\xff\r\n" + b"x" * 70_000 + b"\r\n.\r\n" + b"0123456789" * 7 + b"\r\n" + b".\r\n" * 20_000


class Submissions(Sockets):
    """A submission listener on 127.0.0.1."""

    def submit_to(self, post: SubmissionPost, allowed: Policy | None = None, *, implicit: bool) -> int:
        factory = SubmissionFactory(
            post.portal, allowed or policy(), Connections(100, 100), tls=self.tls, implicit=implicit, clock=reactor
        )
        return self.open(factory, implicit=implicit)

    async def with_each(self, submit: Any, *messages: bytes) -> list[MemoryLetter]:
        """Call `submit(port, implicit)` in a thread for both ways of TLS; the messages must arrive."""
        letters = []
        for implicit in (True, False):
            post = SubmissionPost()
            port = self.submit_to(post, implicit=implicit)
            await deferToThread(submit, port, implicit)
            self.assertEqual([letter.data for letter in post.submission.accepted], list(messages))
            letters += post.submission.accepted
        return letters

    def under_tls(self, port: int, implicit: bool) -> ssl.SSLSocket:
        connection = socket.create_connection(("localhost", port), 20)
        if not implicit:
            self.assertTrue(connection.recv(200).startswith(b"220 "))
            connection.sendall(b"EHLO [192.168.1.20]\r\n")
            while not connection.recv(1000).endswith(b"250 STARTTLS\r\n"):
                pass
            connection.sendall(b"STARTTLS\r\n")
            self.assertTrue(connection.recv(200).startswith(b"220 "))
        client = self.trust.wrap_socket(connection, server_hostname="localhost")
        if implicit:
            self.assertTrue(client.recv(200).startswith(b"220 "))
        return client


class Clients(Submissions):
    """Each checks the certificate and its host name."""

    async def test_smtplib_submits(self) -> None:
        def submit(port: int, implicit: bool) -> None:
            with self.smtplib(port, implicit) as client:
                client.login(USER, PASSWORD)
                for message in (HARD, MESSAGE):
                    self.assertEqual(client.sendmail(USER, ["ann@example.net", "bob@example.org"], message), {})

        for letter in await self.with_each(submit, HARD, MESSAGE):
            self.assertEqual((letter.sender, letter.recipients), (USER, ("ann@example.net", "bob@example.org")))
            self.assertRegex(letter.hop.tls or "", r"TLSv1\.[23] \S+")
            self.assertEqual(letter.hop.peer, "127.0.0.1")

    def smtplib(self, port: int, implicit: bool) -> smtplib.SMTP:
        if implicit:
            return smtplib.SMTP_SSL("localhost", port, context=self.trust, timeout=20)
        client = smtplib.SMTP("localhost", port, timeout=20)
        client.starttls(context=self.trust)
        return client

    async def test_smtplib_is_told_why_a_login_and_a_recipient_are_refused(self) -> None:
        post = SubmissionPost()
        port = self.submit_to(post, implicit=True)
        post.submission.failures["nobody@example.net"] = RuntimeError()

        def submit() -> None:
            with self.smtplib(port, True) as client:
                with self.assertRaises(smtplib.SMTPAuthenticationError) as refused:
                    client.login(USER, "wrong")
                self.assertEqual(refused.exception.smtp_code, 535)
                client.login(USER, PASSWORD)
                refusals = client.sendmail(USER, ["nobody@example.net", "ann@example.net"], MESSAGE)
                self.assertEqual([code for code, _ in refusals.values()], [451])

        await deferToThread(submit)
        self.assertEqual([letter.data for letter in post.submission.accepted], [MESSAGE])

    async def test_curl_submits(self) -> None:
        folder = Path(tempfile.mkdtemp())
        (folder / "message").write_bytes(HARD)

        def submit(port: int, implicit: bool) -> None:
            config = folder / "curlrc"
            config.write_text(
                f'url = "{"smtps" if implicit else "smtp"}://localhost:{port}/client.example.com"\n'
                f'user = "{USER}:{PASSWORD}"\nssl-reqd\ncacert = "{self.authority.certificate}"\n'
                f'mail-from = "{USER}"\nmail-rcpt = "ann@example.net"\nupload-file = "{folder / "message"}"\n'
            )
            self.succeeded(run(["curl", "--disable", "--silent", "--show-error", "--config", str(config)], folder))

        (letter, _) = await self.with_each(submit, HARD)
        self.assertEqual(letter.hop.helo, "client.example.com")

    async def test_swaks_submits_by_every_mechanism_it_has_for_us(self) -> None:
        folder = Path(tempfile.mkdtemp())
        # It ends every message with a line end of its own.
        (folder / "message").write_bytes(MESSAGE.removesuffix(b"\r\n"))

        def submit(port: int, implicit: bool) -> None:
            for mechanism in ("PLAIN", "LOGIN"):
                tls = ["--tls-on-connect" if implicit else "--tls", "--tls-verify"]
                tls += ["--tls-ca-path", str(self.authority.certificate)]
                login = ["--auth", mechanism, "--auth-user", USER, "--auth-password", PASSWORD]
                envelope = ["--from", USER, "--to", "ann@example.net,bob@example.org", "--pipeline"]
                server = ["--server", "localhost", "--port", str(port), "--helo", "client.example.com", "--timeout", "30"]
                command = ["swaks", *server, *tls, *login, *envelope, "--data", f"@{folder / 'message'}"]
                self.succeeded(run(command, folder))

        for letter in await self.with_each(submit, MESSAGE, MESSAGE):
            self.assertEqual(letter.recipients, ("ann@example.net", "bob@example.org"))

    def succeeded(self, done: subprocess.CompletedProcess[str]) -> None:
        self.assertEqual(done.returncode, 0, done.stdout)

    async def test_a_graphical_program_speaks_its_dialog(self) -> None:
        dialog = SMTPDialog.read(DIALOGS / "smtp-graphical.txt")
        ((said, heard),) = dialog.phases

        def submit(port: int, implicit: bool) -> None:
            with self.under_tls(port, implicit) as client:
                answers = b""
                # RFC 2920 section 3.1: behind these a client waits.
                for part in re.findall(rb".*?(?:\AEHLO.*?|AUTH.*?|DATA|\r\n\.|QUIT)\r\n", said, re.DOTALL):
                    client.sendall(part)
                    answers += client.recv(1000)
                self.assertEqual(answers + everything(client), heard)

        await self.with_each(submit, *dialog.accepted)


class Injections(Submissions):
    """What comes in the clear behind STARTTLS, over real sockets."""

    async def test_it_is_never_obeyed(self) -> None:
        post = SubmissionPost()
        port = self.submit_to(post, implicit=False)

        def inject() -> bytes:
            with socket.create_connection(("127.0.0.1", port), 20) as client:
                self.assertTrue(client.recv(100).startswith(b"220 "))
                client.sendall(b"STARTTLS\r\nEHLO evil\r\n" + LOGIN + TRANSACTION)
                return everything(client)

        self.assertEqual(await deferToThread(inject), b"")
        self.assertEqual(post.checker.asked, [])

    async def test_a_client_that_talks_first_hears_why_it_is_turned_away(self) -> None:
        post = SubmissionPost()
        port = self.submit_to(post, policy(greeting_delay=0.5), implicit=False)

        def talk() -> bytes:
            with socket.create_connection(("127.0.0.1", port), 20) as client:
                client.sendall(b"EHLO a\r\n")
                return everything(client)

        self.assertEqual(codes(await deferToThread(talk)), [554])

    async def test_a_client_that_leaves_in_the_middle_of_a_message_has_sent_none(self) -> None:
        post = SubmissionPost()
        port = self.submit_to(post, implicit=True)

        def leave() -> None:
            with self.under_tls(port, True) as client:
                client.sendall(b"EHLO a\r\n" + LOGIN + TRANSACTION + b"Subject: a\r\n\r\nbody\r\n.\r")
                while b"354 " not in client.recv(1000):
                    pass

        await deferToThread(leave)
        await self.until(lambda: not self.sessions)
        self.assertEqual(post.submission.accepted, [])
        self.assertEqual([letter.discarded for letter in post.submission.letters], [True])
