"""An LMTP server that keeps what it is given, envelope and octets, for any number of clients. Only CRLF, dot, CRLF ends a message."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_ADDRESS = re.compile(rb"<([^>]*)>")


@dataclass(frozen=True)
class Kept:
    """One message as it came, dots removed."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes


class Sink(socketserver.ThreadingTCPServer):
    """`port` of 127.0.0.1."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Dialog)
        self.port = int(self.server_address[1])
        self._changed = threading.Condition()
        self._kept: list[Kept] = []

    @property
    def kept(self) -> list[Kept]:
        """All messages so far, in order."""
        with self._changed:
            return list(self._kept)

    def keep(self, message: Kept) -> None:
        """One more."""
        with self._changed:
            self._kept.append(message)
            self._changed.notify_all()

    def wait_for(self, count: int, *, seconds: float = 30) -> list[Kept]:
        """All messages, as soon as there are `count`. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._kept) >= count, seconds):
                raise TimeoutError(f"{len(self._kept)} messages of {count} after {seconds:g} s")
            return list(self._kept)

    def clear(self) -> None:
        """Forget them."""
        with self._changed:
            self._kept.clear()


class _Dialog(socketserver.StreamRequestHandler):
    server: Sink

    def handle(self) -> None:
        # Clients may be killed.
        with suppress(ConnectionError):
            self._talk()

    def _talk(self) -> None:
        sender, recipients = "", list[str]()
        self._answer("220 here")
        while line := self.rfile.readline():
            verb = line[:4].upper().strip()
            if verb in (b"MAIL", b"RCPT"):
                found = _ADDRESS.search(line)
                address = found[1].decode() if found else ""
                if verb == b"MAIL":
                    sender, recipients = address, []
                else:
                    recipients.append(address)
                self._answer("250 yes")
            elif verb == b"DATA":
                self._answer("354 go on")
                self.server.keep(Kept(sender, tuple(recipients), self._message()))
                for address in recipients:
                    self._answer(f"250 kept for {address}")
            else:
                self._answer({b"LHLO": "250-here\r\n250-PIPELINING\r\n250 8BITMIME", b"QUIT": "221 bye"}.get(verb, "250 yes"))

    def _message(self) -> bytes:
        lines = [b"\r\n"]
        while lines[-1] != b".\r\n" or not lines[-2].endswith(b"\r\n"):
            line = self.rfile.readline()
            if not line:
                return b"broken off"
            lines.append(line)
        return b"".join(lines[:-1]).replace(b"\r\n.", b"\r\n")[2:]

    def _answer(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def keeping() -> Iterator[Sink]:
    """A running one."""
    with Sink() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
