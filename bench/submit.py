"""A mail program that sends as fast as the server lets it: SMTP under TLS from the start, several messages a connection."""

from __future__ import annotations

import base64
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.targets import trusting_anybody

_HEADER = (
    b"From: Demo <demo@bench.example>\r\nTo: Ann <ann@elsewhere.example>\r\nSubject: a message of the benchmark\r\n"
    b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <%d@bench.example>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain\r\n\r\n"
)
_LINE = b"Seventy-four octets of text, which is what most mail programs make a line of." + b"\r\n"


@dataclass(frozen=True)
class Login:
    """Whom to send as."""

    user: str
    password: str


def message(size: int, number: int) -> bytes:
    """About `size` octets."""
    head = _HEADER % number
    return head + _LINE * max(1, (size - len(head)) // len(_LINE))


class Sender:
    """One connection. Any other answer than the expected one raises ValueError."""

    def __init__(self, port: int, login: Login | None, context: ssl.SSLContext) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=60)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain)
        self._answers = self._socket.makefile("rb")
        self._expect(b"220")
        self._say(b"EHLO bench.example", b"250")
        if login is not None:
            response = base64.b64encode(f"\0{login.user}\0{login.password}".encode())
            self._say(b"AUTH PLAIN " + response, b"235")

    def send(self, data: bytes) -> None:
        """One message."""
        self.begin(data + b".\r\n")
        self._expect(b"250")

    def begin(self, data: bytes) -> None:
        """One message's commands, pipelined (RFC 2920), and so much of its data."""
        self._socket.sendall(b"MAIL FROM:<demo@bench.example>\r\nRCPT TO:<ann@elsewhere.example>\r\nDATA\r\n")
        self._expect(b"250")
        self._expect(b"250")
        self._expect(b"354")
        self._socket.sendall(data)

    def quit(self) -> None:
        """Leave."""
        self._say(b"QUIT", b"221")
        self._socket.close()

    def _say(self, line: bytes, code: bytes) -> None:
        self._socket.sendall(line + b"\r\n")
        self._expect(code)

    def _expect(self, code: bytes) -> None:
        while True:
            line = self._answers.readline()
            if not line.startswith(code):
                raise ValueError(f"expected {code!r}, got {line!r}")
            if line[3:4] != b"-":
                return


def send_all(port: int, login: Login | None, *, size: int, count: int, connections: int) -> float:
    """Send `count` messages over so many connections at a time; returns the seconds from the first octet to the last answer."""
    context = trusting_anybody()
    senders = [Sender(port, login, context) for _ in range(connections)]

    def work(number: int) -> None:
        for one in range(number, count, connections):
            senders[number].send(message(size, one))

    with ThreadPoolExecutor(connections) as pool:
        began = time.perf_counter()
        list(pool.map(work, range(connections)))
        seconds = time.perf_counter() - began
    for sender in senders:
        sender.quit()
    return seconds
