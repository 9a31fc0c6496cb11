"""A POP3 client that hides nothing: what a gateway said, to the octet, or that it hung up."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Self


class Dropped(Exception):
    """The connection ended in the middle of an answer; `heard` is what came of it."""

    def __init__(self, heard: bytes) -> None:
        super().__init__(heard[-200:])
        self.heard = heard


class RawPop:
    """A session. Answers are whole, with their CRLF, or Dropped is raised."""

    def __init__(self, port: int, *, seconds: float = 60) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        self._heard = bytearray()
        self.line()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.socket.close()

    def say(self, line: str) -> None:
        self.socket.sendall(line.encode() + b"\r\n")

    def ask(self, line: str) -> bytes:
        """The status line."""
        try:
            self.say(line)
        except OSError:
            raise Dropped(b"") from None
        return self.line()

    def fetch(self, line: str) -> tuple[bytes, bytes]:
        """The status line and, after a good one, the octets behind it up to and with the final dot's line."""
        status = self.ask(line)
        return status, self._lines() if status.startswith(b"+OK") else b""

    def login(self, user: str, password: str) -> bytes:
        """What the last command of it said."""
        self.ask(f"USER {user}")
        return self.ask(f"PASS {password}")

    def line(self) -> bytes:
        return self._until(b"\r\n")

    def _lines(self) -> bytes:
        end = b".\r\n"
        while len(self._heard) < len(end):
            self._more()
        return self._until(end if self._heard.startswith(end) else b"\r\n" + end)

    def _until(self, end: bytes) -> bytes:
        at = -1
        while (at := self._heard.find(end, max(0, at))) < 0:
            at = max(0, len(self._heard) - len(end))
            self._more()
        heard = bytes(self._heard[: at + len(end)])
        del self._heard[: at + len(end)]
        return heard

    def _more(self) -> None:
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionError:
            data = b""
        if not data:
            raise Dropped(bytes(self._heard))
        self._heard += data
