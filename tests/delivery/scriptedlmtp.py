"""An LMTP server that says what it was told to say, for replies and silences that no good server gives."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.certificates import Certificate

CLOSE = "close"
"""Instead of a reply: close the connection."""

SILENCE = "silence"
"""Instead of a reply: nothing, until the client leaves."""

_REPLIES: dict[str, str | list[str]] = {
    "GREETING": "220 here",
    "LHLO": "250-here\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 SIZE",
    "DATA": "354 go on",
    "END": "250 2.1.5 kept",
    "QUIT": "221 bye",
    "STARTTLS": "220 go on",
}


class Scripted(socketserver.ThreadingTCPServer):
    """`said` has every command, `messages` what followed each DATA, as it came. A reply is for a whole command or for its verb; a list has
    one for each time, the last for ever. ``END`` is asked once for each recipient that was taken, as ``END USER`` first. A reply that ends
    in ``~`` is sent an octet in each twentieth of a second, without end; one that ends in ``|`` has no line end."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self, replies: Mapping[str, str | list[str]], path: Path | None, tls: Certificate | None, implicit: bool
    ) -> None:
        if path is not None:
            self.address_family = socket.AF_UNIX
        address: Any = ("127.0.0.1", 0) if path is None else str(path)
        super().__init__(address, _Dialog)
        self.port = 0 if path is not None else int(self.server_address[1])
        self.said: list[str] = []
        self.messages: list[bytes] = []
        self.connections = 0
        self.implicit = implicit
        self.context = None
        if tls is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(tls.certificate, tls.key)
        self._replies = {**_REPLIES, **replies}
        self._lock = threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may leave as they like."""

    def server_bind(self) -> None:
        """Without asking DNS for a name."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def reply(self, words: str) -> str:
        """What to answer."""
        with self._lock:
            key = words if words in self._replies else words.partition(" ")[0].upper()
            found = self._replies.get(key, "250 yes")
            if isinstance(found, str):
                return found
            return found.pop(0) if len(found) > 1 else found[0]


class _Dialog(socketserver.BaseRequestHandler):
    server: Scripted

    def handle(self) -> None:
        self.server.connections += 1
        self._taken: list[str] = []
        self._connection: socket.socket = self.request
        self._rest = b""
        if self.server.implicit:
            self._secure()
        if not self._say(self.server.reply("GREETING")):
            return
        while line := self._line():
            words = line.decode("latin-1").strip()
            self.server.said.append(words)
            if not self._answered(words) or words == "QUIT":
                return

    def _answered(self, words: str) -> bool:
        reply = self.server.reply(words)
        if not self._say(reply):
            return False
        verb = words.partition(" ")[0]
        if verb in ("MAIL", "RSET"):
            self._taken = []
        elif verb == "RCPT" and reply.startswith("2"):
            self._taken.append(words[len("RCPT TO:<") : -1])
        elif verb == "STARTTLS" and reply.startswith("220"):
            self._secure()
        return words != "DATA" or not reply.startswith("354") or self._message()

    def _message(self) -> bool:
        data = b""
        while not (b"\r\n" + data).endswith(b"\r\n.\r\n"):
            line = self._line()
            if not line:
                self.server.messages.append(data + b"broken off")
                return False
            data += line
        self.server.messages.append(data)
        for user in self._taken:
            words = f"END {user}"
            if not self._say(self.server.reply(words)):
                return False
        return True

    def _secure(self) -> None:
        assert self.server.context is not None
        self._connection = self.server.context.wrap_socket(self._connection, server_side=True)

    def _line(self) -> bytes:
        while b"\n" not in self._rest:
            piece = self._connection.recv(65536)
            if not piece:
                return b""
            self._rest += piece
        line, newline, self._rest = self._rest.partition(b"\n")
        return line + newline

    def _say(self, reply: str) -> bool:
        if reply == SILENCE:
            self._connection.recv(1)
        if reply in (CLOSE, SILENCE):
            return False
        while reply.endswith("~"):
            self._connection.sendall(reply[:1].encode())
            time.sleep(0.05)
        self._connection.sendall(reply[:-1].encode() if reply.endswith("|") else f"{reply}\r\n".encode("latin-1"))
        return True


@contextmanager
def saying(
    script: Mapping[str, str] | None = None,
    /,
    *,
    path: Path | None = None,
    tls: Certificate | None = None,
    implicit: bool = False,
    **replies: str | list[str],
) -> Iterator[Scripted]:
    """A running one, on a Unix socket or on a port of 127.0.0.1; names are verbs, ``GREETING`` and ``END``, or whole commands."""
    with Scripted({**(script or {}), **replies}, path, tls, implicit) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
