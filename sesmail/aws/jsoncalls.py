"""Requests of AWS's JSON protocol over connections that are kept: a quarter of what a client of boto3 costs, for what happens often.

https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPSConnection
from typing import Any, cast
from urllib.parse import urlsplit

LONGEST = 65_536
"""Octets of an answer at most."""
CONTENT_TYPE = "application/x-amz-json-1.1"
"""Of what is sent."""

_KEPT = 64
_PIECE = 16_384
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]{1,9}) *(?:\r\n|\Z)").search
_STAYS = re.compile(rb"(?is)HTTP/1\.1 (?!.*\r\nconnection: *close)").match


class NoAnswer(Exception):
    """The connection failed, broke off or was silent for too long, or what came is no JSON."""


@dataclass(frozen=True)
class Answer:
    """`code`: the name of the error without its namespace, ``""`` where there is none."""

    status: int
    code: str
    document: Mapping[str, Any] = field(repr=False)

    @property
    def message(self) -> str:
        """What the service says about an error."""
        return str(self.document.get("message") or self.document.get("Message") or "")


class JsonCalls:
    """One endpoint, such as ``https://kms.eu-central-1.amazonaws.com``. Thread-safe; at most `_KEPT` idle connections are kept.

    `connect_timeout` is that of a connection, `read_timeout` that of one silence, in seconds. `trust` makes the context that verifies
    the server, when there is a connection to make.
    """

    def __init__(
        self, endpoint: str, trust: Callable[[], ssl.SSLContext], *, connect_timeout: float, read_timeout: float
    ) -> None:
        parts = urlsplit(endpoint)
        self.host = parts.netloc
        self._secure = parts.scheme == "https"
        self._trust = trust
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._idle: deque[socket.socket] = deque(maxlen=_KEPT)
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()

    def post(self, body: bytes, headers: Sequence[tuple[str, str]]) -> Answer:
        """POST a document to ``/``; the headers are those of the signature, the host among them. Raises NoAnswer."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        request = (
            f"POST / HTTP/1.1\r\n{lines}Content-Type: {CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n".encode("ascii")
            + body
        )
        while (kept := self._take()) is not None:
            # What was closed meanwhile fails at once, and says nothing about the server.
            try:
                return self._exchange(kept, request)
            except NoAnswer as error:
                if isinstance(error.__cause__, TimeoutError):
                    raise
        return self._exchange(self._connected(), request)

    def _exchange(self, connection: socket.socket, request: bytes) -> Answer:
        try:
            connection.sendall(request)
            head, data = _received(connection)
            said = answer(int(head[9:12]), data)
        except (OSError, ValueError, RecursionError) as error:
            connection.close()
            raise NoAnswer(f"{type(error).__name__}: {error}"[:300]) from error
        if _STAYS(head):
            self._idle.append(connection)
        else:
            connection.close()
        return said

    def _take(self) -> socket.socket | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _connected(self) -> socket.socket:
        try:
            connection = self._made()
            connection.connect()
            connection.sock.settimeout(self._read_timeout)
        except OSError as error:
            raise NoAnswer(f"{type(error).__name__}: {error}"[:300]) from error
        return cast(socket.socket, connection.sock)

    def _made(self) -> HTTPConnection:
        if not self._secure:
            return HTTPConnection(self.host, timeout=self._connect_timeout)
        with self._lock:
            if self._context is None:
                self._context = self._trust()
        return HTTPSConnection(self.host, timeout=self._connect_timeout, context=self._context)


def _received(connection: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of an answer: this protocol's are short, and say how long they are. Raises OSError, ValueError."""
    data = b""
    while True:
        head, blank, body = data.partition(b"\r\n\r\n")
        if blank:
            length = _LENGTH(head)
            if not head.startswith(b"HTTP/1.") or length is None:
                raise ValueError("no answer of this protocol")
            if len(body) > int(length[1]):
                raise ValueError("more than an answer")
            if len(body) == int(length[1]):
                return head, body
        if len(data) > LONGEST:
            raise ValueError("an answer without end")
        piece = connection.recv(_PIECE)
        if not piece:
            raise ConnectionError("the answer broke off")
        data += piece


def answer(status: int, data: bytes) -> Answer:
    """What an answer says. Raises ValueError, RecursionError for what is no JSON object."""
    document = json.loads(data)
    if not isinstance(document, dict):
        raise ValueError("no document")
    code = str(document.get("__type", "")) if status != 200 else ""
    return Answer(status, code.rpartition("#")[2], document)
