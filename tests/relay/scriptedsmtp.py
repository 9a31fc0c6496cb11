"""A next hop that says what it was told to say, for replies and silences that no good server gives."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

CLOSE = "close"
"""Instead of a reply: close the connection."""

_REPLIES = {
    "GREETING": "220 here",
    "EHLO": "250-here\r\n250-8BITMIME\r\n250 SIZE 1000000",
    "DATA": "354 go on",
    ".": "250 2.0.0 Ok: queued as 4XYZ",
    "QUIT": "221 bye",
}


class Scripted(socketserver.ThreadingTCPServer):
    """`said` has every command, `messages` what followed each DATA, as it came. A reply may be a list: one for each time, the last for
    ever. A reply that ends in ``~`` is sent an octet in each tenth of a second, without end."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, replies: Mapping[str, str | list[str]]) -> None:
        super().__init__(("127.0.0.1", 0), _Dialog)
        self.port = int(self.server_address[1])
        self.said: list[str] = []
        self.messages: list[bytes] = []
        self.connections = 0
        self.waits_for = 1
        """So many commands in all must have come, MAIL the first of them, before it answers that."""
        self._replies = {**_REPLIES, **replies}
        self._lock = threading.Lock()

    def reply(self, words: str) -> str:
        """What to answer. A whole command goes before its verb."""
        with self._lock:
            key = words if words in self._replies else words.partition(" ")[0].upper()
            found = self._replies.get(key, "250 yes")
            if isinstance(found, str):
                return found
            return found.pop(0) if len(found) > 1 else found[0]


class _Dialog(socketserver.StreamRequestHandler):
    server: Scripted

    def handle(self) -> None:
        # A client may leave in any way.
        with suppress(ConnectionError):
            self._talk()

    def _talk(self) -> None:
        self.server.connections += 1
        if not self._say(self.server.reply("GREETING")):
            return
        for line in self._lines():
            words = line.decode("latin-1").strip()
            self.server.said.append(words)
            reply = self.server.reply(words)
            if not self._say(reply) or words == "QUIT":
                return
            if words == "DATA" and reply.startswith("354") and not self._message():
                return

    def _lines(self) -> Iterator[bytes]:
        while line := self.rfile.readline():
            together = [line]
            if line.startswith(b"MAIL"):
                together += [self.rfile.readline() for _ in range(1, self.server.waits_for)]
            yield from together

    def _message(self) -> bool:
        data = b""
        while not data.endswith(b"\r\n.\r\n"):
            line = self.rfile.readline()
            if not line:
                return False
            data += line
        self.server.messages.append(data)
        return self._say(self.server.reply("."))

    def _say(self, reply: str) -> bool:
        if reply == CLOSE:
            return False
        while reply.endswith("~"):
            self.wfile.write(reply[:1].encode())
            time.sleep(0.1)
        self.wfile.write(f"{reply}\r\n".encode())
        return True


@contextmanager
def saying(**replies: str | list[str]) -> Iterator[Scripted]:
    """A running one; names are verbs, ``GREETING`` and, for the reply after the final dot, ``END``."""
    given = {{"END": "."}.get(name, name): reply for name, reply in replies.items()}
    with Scripted(given) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
