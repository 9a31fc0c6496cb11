"""Requests of AWS's JSON protocol over connections that are kept: a quarter of what a client of boto3 costs, for what happens often.

https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

from __future__ import annotations

import json
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

LONGEST = 65_536
"""Octets of an answer at most."""

_KEPT = 64
_CONTENT = ("content-type", "application/x-amz-json-1.1")


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
        self._idle: deque[HTTPConnection] = deque(maxlen=_KEPT)
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()

    def post(self, body: bytes, headers: Sequence[tuple[str, str]]) -> Answer:
        """POST a document to ``/``; the headers are those of the signature. Raises NoAnswer."""
        while (connection := self._take()) is not None:
            # What was closed meanwhile fails at once, and says nothing about the server.
            try:
                return self._exchange(connection, body, headers)
            except NoAnswer as error:
                if isinstance(error.__cause__, TimeoutError):
                    raise
        return self._exchange(self._connected(), body, headers)

    def _exchange(self, connection: HTTPConnection, body: bytes, headers: Sequence[tuple[str, str]]) -> Answer:
        try:
            connection.request("POST", "/", body, dict((*headers, _CONTENT)))
            response = connection.getresponse()
            data = response.read(LONGEST + 1)
            if len(data) > LONGEST:
                raise NoAnswer("an answer without end")
            answer = _answer(response.status, data)
            if not response.will_close:
                self._idle.append(connection)
            return answer
        except (NoAnswer, OSError, HTTPException, ValueError, RecursionError) as error:
            connection.close()
            raise NoAnswer(f"{type(error).__name__}: {error}"[:300]) from error

    def _take(self) -> HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _connected(self) -> HTTPConnection:
        try:
            connection = self._made()
            connection.connect()
            # What was closed must not come to life again, with another timeout.
            connection.auto_open = 0
            connection.sock.settimeout(self._read_timeout)
        except OSError as error:
            raise NoAnswer(f"{type(error).__name__}: {error}"[:300]) from error
        return connection

    def _made(self) -> HTTPConnection:
        if not self._secure:
            return HTTPConnection(self.host, timeout=self._connect_timeout)
        with self._lock:
            if self._context is None:
                self._context = self._trust()
        return HTTPSConnection(self.host, timeout=self._connect_timeout, context=self._context)


def _answer(status: int, data: bytes) -> Answer:
    document = json.loads(data)
    if not isinstance(document, dict):
        raise ValueError("no document")
    code = str(document.get("__type", "")) if status != 200 else ""
    return Answer(status, code.rpartition("#")[2], document)
