"""A POP3 client that does nothing but fetch, so that what is timed is the server."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass

_END = b"\r\n.\r\n"


@dataclass(frozen=True)
class Drained:
    """Seconds from connecting to the login's answer, messages fetched, their octets on the wire, seconds that took."""

    login: float
    messages: int
    octets: int
    seconds: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds


class Session:
    """One session on 127.0.0.1, in the clear or under TLS from the start."""

    def __init__(self, port: int, user: str, password: str, *, tls: ssl.SSLContext | None = None) -> None:
        started = time.perf_counter()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket)
        self._buffer = bytearray()
        self._line()
        self.ask(f"USER {user}")
        self.ask(f"PASS {password}")
        self.login = time.perf_counter() - started

    def ask(self, command: str) -> bytes:
        """Send a command; its one-line answer. Raises RuntimeError when that is not +OK."""
        self._socket.sendall(command.encode() + b"\r\n")
        return self._line()

    def listing(self, verb: str) -> list[list[bytes]]:
        """LIST or UIDL as a whole."""
        self._socket.sendall(verb.encode() + b"\r\n")
        return [line.split() for line in self._multi_line().split(b"\r\n")[1:-2]]

    def retrieve(self, numbers: range, *, window: int = 1) -> int:
        """RETR these with up to `window` commands under way; the octets that came."""
        octets = asked = 0
        for answered in range(len(numbers)):
            batch = numbers[asked : answered + window]
            if batch:
                self._socket.sendall(b"".join(b"RETR %d\r\n" % number for number in batch))
                asked += len(batch)
            octets += self._skipped() if window == 1 else len(self._multi_line())
        return octets

    def quit(self) -> None:
        """QUIT."""
        self.ask("QUIT")
        self._socket.close()

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._more()
        line, _, rest = bytes(self._buffer).partition(b"\r\n")
        self._buffer = bytearray(rest)
        return _good(line)

    def _multi_line(self) -> bytes:
        looked = 0
        while (end := self._buffer.find(_END, looked)) < 0:
            looked = max(0, len(self._buffer) - len(_END))
            self._more()
        answer = bytes(self._buffer[: end + len(_END)])
        del self._buffer[: end + len(_END)]
        _good(answer[:80])
        return answer

    def _skipped(self) -> int:
        """Octets of an answer behind which nothing can come; looked at only at both ends, so that the client costs little."""
        first = last = self._socket.recv(1 << 18)
        octets = len(first)
        while not last.endswith(_END):
            data = self._socket.recv(1 << 18)
            if not data:
                raise RuntimeError("the server closed the connection")
            octets += len(data)
            last = data if len(data) >= len(_END) else last[-len(_END) :] + data
        _good(first[:80])
        return octets

    def _more(self) -> None:
        data = self._socket.recv(1 << 18)
        if not data:
            raise RuntimeError("the server closed the connection")
        self._buffer += data


def _good(line: bytes) -> bytes:
    if not line.startswith(b"+OK"):
        raise RuntimeError(line.decode("ascii", "replace"))
    return line


def drain(
    port: int, user: str, password: str, *, limit: int | None = None, window: int = 1, tls: ssl.SSLContext | None = None
) -> Drained:
    """Log in, LIST, UIDL, RETR everything (at most `limit` messages), QUIT."""
    session = Session(port, user, password, tls=tls)
    count = len(session.listing("LIST"))
    session.listing("UIDL")
    count = min(count, limit or count)
    started = time.perf_counter()
    octets = session.retrieve(range(1, count + 1), window=window)
    seconds = time.perf_counter() - started
    session.quit()
    return Drained(session.login, count, octets, seconds)
