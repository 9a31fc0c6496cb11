"""An LMTP server that keeps what it is given and is struck by faults at any step, for one message or for whoever comes next."""

from __future__ import annotations

import os
import re
import socket
import socketserver
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

NUMBER = re.compile(rb"^X-Number: (\d+)\r?$", re.MULTILINE)
ANYBODY = -1
_ADDRESS = re.compile(r"<([^>]*)>")
_RESET = struct.pack("ii", 1, 0)
_REPLIES = {"GREETING": "220 here", "LHLO": "250-here\r\n250 8BITMIME", "DATA": "354 go on", "QUIT": "221 bye"}


@dataclass
class Strike:
    """What happens at `step` (a verb, ``GREETING`` or ``END``, which is before the second reply to a message) of message `number`.

    `what`: a reply that begins with a digit, ``close``, ``reset``, ``silence``, ``half`` (of a reply), ``rubbish``. After ``kept-`` the
    message is kept for everybody first.
    """

    step: str
    what: str
    number: int = ANYBODY
    times: int = 1


class _Over(Exception):
    """The connection is at its end."""


class Struck:
    """`port` of 127.0.0.1; `kept` counts by the X-Number of a message and its user. The number of a message is what follows the ``s`` of its
    sender until its header is there."""

    def __init__(self) -> None:
        self.kept: Counter[tuple[int, str]] = Counter()
        self.port = 0
        self._lock = threading.Lock()
        self._strikes: list[Strike] = []
        self._open: set[socket.socket] = set()

    def strike(self, *strikes: Strike) -> None:
        """From now on, besides those that have not struck yet."""
        with self._lock:
            self._strikes += strikes

    def heal(self) -> None:
        """Nothing strikes any more."""
        with self._lock:
            self._strikes = []

    @property
    def waiting(self) -> list[Strike]:
        """Those that have not struck."""
        with self._lock:
            return [strike for strike in self._strikes if strike.times]

    def struck(self, step: str, number: int) -> str:
        """What happens at this step; nothing special is ``""``."""
        with self._lock:
            for strike in self._strikes:
                if strike.times and strike.step == step and strike.number in (number, ANYBODY):
                    strike.times -= 1
                    return strike.what
        return ""

    def keep(self, number: int, user: str) -> None:
        with self._lock:
            self.kept[number, user] += 1

    def start(self) -> None:
        """Listen, on the same port each time."""
        self._listener = _Listener(("127.0.0.1", self.port), _Dialog)
        self._listener.struck = self
        self.port = int(self._listener.server_address[1])
        self._thread = threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self) -> None:
        """Connections are refused, and none is left."""
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()
        self.hang_up()

    def hang_up(self) -> None:
        """End all conversations."""
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody is there as long as this lasts."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def opened(self, one: socket.socket) -> None:
        self._open.add(one)

    def closed(self, one: socket.socket) -> None:
        self._open.discard(one)


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 100
    struck: Struck


class _Dialog(socketserver.StreamRequestHandler):
    server: _Listener

    def setup(self) -> None:
        super().setup()
        self.server.struck.opened(self.connection)

    def finish(self) -> None:
        self.server.struck.closed(self.connection)
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        self._number, self._users = ANYBODY, list[str]()
        with suppress(_Over, OSError):
            self._step("GREETING")
            while line := self.rfile.readline().decode().strip():
                self._command(line)

    def _command(self, line: str) -> None:
        verb = line.partition(" ")[0]
        found = _ADDRESS.search(line)
        if verb == "MAIL" and found:
            self._number, self._users = int(found[1].partition("@")[0].removeprefix("s")), []
        taken = self._step(verb)
        if verb == "RCPT" and found and taken:
            self._users.append(found[1])
        elif verb == "DATA" and taken:
            self._message()
        elif verb == "QUIT":
            raise _Over

    def _message(self) -> None:
        data = b""
        while not data.endswith(b"\r\n.\r\n"):
            line = self.rfile.readline()
            if not line:
                raise _Over
            data += line
        header = NUMBER.search(data)
        assert header is not None
        for place, user in enumerate(self._users):
            if place != 1:
                self.server.struck.keep(int(header[1]), user)
                self._say("250 2.0.0 kept")
            else:
                self._step("END", kept=(int(header[1]), user))

    def _step(self, step: str, kept: tuple[int, str] | None = None) -> bool:
        """Whether it went well."""
        what = self.server.struck.struck(step, self._number)
        if kept and (not what or what.startswith("kept-")):
            self.server.struck.keep(*kept)
        what = what.removeprefix("kept-")
        if not what or what[0].isdigit():
            self._say(what or _REPLIES.get(step, "250 2.0.0 yes"))
            if what.startswith("421"):
                raise _Over
            return not what
        self._break(what)
        raise _Over

    def _break(self, what: str) -> None:
        if what == "silence":
            self.connection.recv(1)
        elif what == "half":
            self.wfile.write(b"250 2.0")
        elif what == "rubbish":
            self._say("HTTP/1.1 200 OK")
            self.connection.recv(1)
        elif what == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            # At once: the files of this handler hold the socket, too.
            os.close(self.connection.detach())

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
