"""An LMTP server that keeps what it is given, octet for octet, one file a message."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class _Dialog(socketserver.StreamRequestHandler):
    server: _Keeper

    def handle(self) -> None:
        self._answer(b"220 here")
        while line := self.rfile.readline():
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self._answer(b"354 go on")
                self.server.keep(self._message())
                self._answer(b"250 kept")
            else:
                self._answer({b"LHLO": b"250 here", b"QUIT": b"221 bye"}.get(verb, b"250 yes"))

    def _message(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line)
        return re.sub(rb"(?m)^\.", b"", b"".join(lines))

    def _answer(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


class _Keeper(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Dialog)
        self._folder = folder
        self._kept = 0

    def keep(self, message: bytes) -> None:
        self._kept += 1
        (self._folder / str(self._kept)).write_bytes(message)


@contextmanager
def keeping(folder: Path) -> Iterator[int]:
    """The port of a server on 127.0.0.1 that writes messages into `folder`, for one client at a time."""
    with _Keeper(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
