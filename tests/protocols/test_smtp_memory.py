"""What connections that are receiving a message cost in memory, TLS and all, weighed on a process of its own."""

from __future__ import annotations

import resource
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.protocols.submitted import LOGIN
from tests.servers.certificates import Authority
from tests.servers.ports import answers, free_port, wait_until
from tests.servers.process import Guarded

CONNECTIONS = 200
KILOBYTE = 1024
SENDS = 32


class Server:
    """The process, and a way in."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        issued = authority.issue("localhost")
        pem = folder / "both.pem"
        pem.write_bytes(issued.certificate.read_bytes() + issued.key.read_bytes())
        self.trust = ssl.create_default_context(cafile=str(authority.certificate))
        self.port = free_port()
        command = [sys.executable, "-m", "tests.protocols.memoryserver", str(self.port), str(pem)]
        self.process = Guarded(command, folder / "log", cwd=Path(__file__).parents[2])
        wait_until(lambda: answers(self.port), seconds=60, what=self.process.tail)

    def resident(self) -> int:
        """KiB of memory."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        pages = int(Path(f"/proc/{children[0]}/statm").read_text().split()[1])
        return pages * resource.getpagesize() // KILOBYTE

    def logged_in(self) -> ssl.SSLSocket:
        client = self.trust.wrap_socket(socket.create_connection(("localhost", self.port), 60), server_hostname="localhost")
        assert client.recv(100).startswith(b"220")
        talk(client, b"EHLO a\r\n" + LOGIN, b"235 2.7.0 logged in\r\n")
        return client


def talk(client: ssl.SSLSocket, said: bytes, end: bytes) -> None:
    client.sendall(said)
    heard = b""
    while not heard.endswith(end):
        heard += client.recv(1000) or b"?"


def begin(client: ssl.SSLSocket, sender: bytes) -> None:
    talk(client, b"MAIL FROM:<%b>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n" % sender, b"with a dot\r\n")


def send_all_that_goes(client: ssl.SSLSocket) -> None:
    client.settimeout(0.05)
    try:
        for _ in range(SENDS):
            client.send(b"x" * 16_000)
    except (TimeoutError, ssl.SSLError):
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    # The first few pay for what is only loaded then.
    for _ in range(10):
        client = server.logged_in()
        begin(client, b"joe@example.com")
        talk(client, b"x" * 100_000 + b"\r\n.\r\n", b"250 2.0.0 taken\r\n")
        client.close()
    yield server
    server.process.stop()


@pytest.mark.parametrize(("sender", "counted"), [(b"joe@example.com", "all"), (b"slow@example.com", "beside TLS")])
def test_a_connection_in_the_middle_of_a_message_costs_less_than_64_kb(server: Server, sender: bytes, counted: str) -> None:
    before = server.resident()
    with ExitStack() as stack:
        clients = [stack.enter_context(server.logged_in()) for _ in range(CONNECTIONS)]
        idle = server.resident()
        for client in clients:
            begin(client, sender)
            send_all_that_goes(client)
        wait_until(lambda: quiet(server), seconds=30, what=lambda: "the server never came to rest")
        grown = server.resident() - (before if counted == "all" else idle)
        assert grown / CONNECTIONS < 64, f"{grown / CONNECTIONS} KiB each"
        assert idle - before > CONNECTIONS


def quiet(server: Server) -> bool:
    """Whether it has read all it will: nobody's answer is held up by others' octets any more."""
    with server.logged_in() as client:
        talk(client, b"NOOP\r\n", b"250 2.0.0 ok\r\n")
    return True
