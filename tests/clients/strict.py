"""A POP3 client that forgives nothing: what is not exactly as the RFCs and our promises say is an AssertionError.

It reads octets from the socket itself, so that no library mends on the way what the gateway got wrong.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.clients.doors import Door

_END = b"\r\n.\r\n"
_LONGEST_REPLY = 512
_PATIENCE = 60.0


class Session:
    """One connection. `ask` for replies of one line, `ask_for_lines` for those that end with a dot."""

    def __init__(self, door: Door) -> None:
        self._socket = socket.create_connection(("127.0.0.1", door.port), _PATIENCE)
        self._read = bytearray()
        if door.implicit:
            self._begin_tls(door)
        assert self._line().startswith(b"+OK ")
        if not door.implicit:
            assert self.ask("STLS").startswith(b"+OK")
            assert not self._read, "answered before TLS"
            self._begin_tls(door)

    def login(self, door: Door) -> bytes:
        """What PASS was answered."""
        assert self.ask(f"USER {door.user}").startswith(b"+OK")
        return self.ask(f"PASS {door.password}")

    def ask(self, command: str) -> bytes:
        """The reply's line, without CRLF. Nothing may follow it."""
        self.send(command)
        line = self._line()
        assert not self._read, "more than one line came"
        return line

    def ask_for_lines(self, command: str) -> bytes:
        """The octets between the first line, which must be +OK, and the final dot: as sent, stuffed."""
        self.send(command)
        octets = self.receive_lines()
        assert not self._read, "something came after the final dot"
        return octets

    def send(self, *commands: str) -> None:
        self._socket.sendall("".join(f"{command}\r\n" for command in commands).encode())

    def receive_lines(self) -> bytes:
        """As `ask_for_lines`, for a command that was sent before others."""
        first = self._line()
        assert first.startswith(b"+OK"), first
        if self._starts_with_end():
            return self._cut(0, 3)
        # Three octets back: the end may be cut apart by reads.
        searched = 0
        while (found := self._read.find(_END, searched)) < 0:
            searched = max(0, len(self._read) - len(_END))
            self._more()
        return self._cut(found + 2, 3)

    def refused(self, command: str) -> bytes:
        """The reply's line, which must be -ERR."""
        line = self.ask(command)
        assert line.startswith(b"-ERR"), line
        return line

    def numbered(self, command: str) -> dict[int, bytes]:
        """The list that LIST or UIDL gives: numbers 1, 2, 3 ... in order, one blank, one word."""
        octets = self.ask_for_lines(command)
        assert octets == b"" or octets.endswith(b"\r\n")
        listed = {}
        for line in octets.split(b"\r\n")[:-1]:
            parts = re.fullmatch(rb"([1-9][0-9]*) ([\x21-\x7e]+)", line)
            assert parts is not None, line
            listed[int(parts[1])] = parts[2]
        assert list(listed) == sorted(listed)
        return listed

    def stat(self) -> tuple[int, int]:
        """How many messages, and their octets in all."""
        line = re.fullmatch(rb"\+OK (\d+) (\d+)", self.ask("STAT"))
        assert line is not None
        return int(line[1]), int(line[2])

    def quit(self) -> None:
        """QUIT, which must succeed; then the server closes, with TLS's own farewell."""
        answer = self.ask("QUIT")
        assert answer.startswith(b"+OK"), answer
        assert self._socket.recv(1) == b""

    def close(self) -> None:
        self._socket.close()

    def _begin_tls(self, door: Door) -> None:
        context = ssl.create_default_context(cafile=str(door.authority))
        self._socket = context.wrap_socket(self._socket, server_hostname=door.host, suppress_ragged_eofs=False)

    def _line(self) -> bytes:
        while (end := self._read.find(b"\n")) < 0:
            self._more()
        line = self._cut(end + 1, 0)
        assert len(line) <= _LONGEST_REPLY, line
        assert re.fullmatch(rb"(\+OK|-ERR)( [\x20-\x7e]*)?\r\n", line), line
        return line[:-2]

    def _starts_with_end(self) -> bool:
        while len(self._read) < 3 and b".\r\n".startswith(self._read):
            self._more()
        return self._read.startswith(b".\r\n")

    def _cut(self, length: int, dropped: int) -> bytes:
        octets = bytes(memoryview(self._read)[:length])
        del self._read[: length + dropped]
        return octets

    def _more(self) -> None:
        octets = self._socket.recv(262_144)
        assert octets, f"closed within a reply, after {bytes(self._read[-200:])!r}"
        self._read += octets


@contextmanager
def logged_in(door: Door, *, patient: bool = False) -> Iterator[Session]:
    """A session in TRANSACTION state. Without `quit` it ends as a lost connection does.

    `patient`: another session was just lost, so wait until the maildrop is no longer in use.
    """
    session = Session(door)
    answer = session.login(door)
    deadline = time.monotonic() + 10
    while patient and answer.startswith(b"-ERR [IN-USE]") and time.monotonic() < deadline:
        session.close()
        session = Session(door)
        answer = session.login(door)
    try:
        assert answer.startswith(b"+OK"), answer
        yield session
    finally:
        session.close()
