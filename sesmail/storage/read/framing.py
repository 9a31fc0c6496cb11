"""Where an HTTP/1.1 response's head and body begin and end (RFC 9112 sections 2 to 7), without any I/O."""

from __future__ import annotations

import re
from typing import NamedTuple

_HEAD_LIMIT = 64 * 1024
_LINE_LIMIT = 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: |\r|\Z)")
_DECIMAL = re.compile(rb"[0-9]{1,18}\Z")
_HEX = re.compile(rb"[0-9A-Fa-f]{1,15}\Z")
_BODILESS = frozenset({204, 304})


class Broken(Exception):
    """The bytes are not an HTTP response that we can trust the end of."""


class Head(NamedTuple):
    """The status and the headers, names in lower case; of repeated headers the last counts."""

    status: int
    headers: dict[bytes, bytes]


class Framing:
    """Reads one response: `head` until it returns one, then `body`, which also gives what came behind the head."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = 0
        self._chunked = False
        self._trailer = False
        self._behind = False
        self.untouched = True
        self.until_close = False
        self.complete = False
        self.reusable = False

    def head(self, data: bytes) -> Head | None:
        """Take bytes; the head once it is whole. Raises Broken."""
        self.untouched = False
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end > _HEAD_LIMIT or (end < 0 and len(self._buffer) > _HEAD_LIMIT):
                raise Broken("response headers too long")
            if end < 0:
                return None
            block = bytes(self._buffer[:end])
            del self._buffer[: end + 4]
            head = _parse(block)
            if head.status >= 200:
                self._begin(block, head)
                return head

    def body(self, data: bytes) -> list[bytes]:
        """Take bytes; the body's bytes among them. Sets `complete` at its end. Raises Broken."""
        if self._buffer:
            self._buffer += data
            data = bytes(self._buffer)
            self._buffer.clear()
        if self.complete:
            if data:
                raise Broken("bytes behind the end of a response")
            return []
        if self._chunked:
            return self._chunks(data)
        if self.until_close:
            return [data] if data else []
        return self._counted(data)

    def _begin(self, block: bytes, head: Head) -> None:
        headers = head.headers
        self.reusable = block.startswith(b"HTTP/1.1") and headers.get(b"connection", b"").lower() != b"close"
        coding = headers.get(b"transfer-encoding")
        length = headers.get(b"content-length")
        if head.status in _BODILESS:
            self.complete = True
        elif coding is not None:
            if coding.lower() != b"chunked":
                raise Broken("unknown transfer coding")
            self._chunked = True
        elif length is not None:
            if not _DECIMAL.match(length):
                raise Broken("bad Content-Length")
            self._left = int(length)
            self.complete = self._left == 0
        else:
            self.until_close = True
            self.reusable = False

    def _counted(self, data: bytes) -> list[bytes]:
        if len(data) > self._left:
            raise Broken("bytes behind the end of a response")
        self._left -= len(data)
        self.complete = self._left == 0
        return [data] if data else []

    def _chunks(self, data: bytes) -> list[bytes]:
        pieces: list[bytes] = []
        position = 0
        while position < len(data) and not self.complete:
            if self._left:
                taken = data[position : position + self._left]
                position += len(taken)
                self._left -= len(taken)
                self._behind = self._left == 0
                pieces.append(taken)
                continue
            end = data.find(b"\r\n", position)
            if end < 0:
                self._keep(data[position:])
                return pieces
            self._line(data[position:end])
            position = end + 2
        if position < len(data):
            raise Broken("bytes behind the end of a response")
        return pieces

    def _keep(self, rest: bytes) -> None:
        if len(rest) > _LINE_LIMIT:
            raise Broken("chunk header too long")
        self._buffer += rest

    def _line(self, line: bytes) -> None:
        """A line between chunks: the end of one, the size of the next, a trailer field, or the empty line that ends the body."""
        if self._behind:
            if line:
                raise Broken("a chunk is longer than its size")
            self._behind = False
        elif self._trailer:
            self.complete = not line
        else:
            size = line.partition(b";")[0].strip()
            if not _HEX.match(size):
                raise Broken("bad chunk size")
            self._left = int(size, 16)
            self._trailer = self._left == 0


def _parse(block: bytes) -> Head:
    lines = block.split(b"\r\n")
    status = _STATUS.match(lines[0])
    if status is None:
        raise Broken("not an HTTP response")
    headers: dict[bytes, bytes] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon:
            raise Broken("bad header line")
        headers[name.lower()] = value.strip()
    return Head(int(status[1]), headers)
