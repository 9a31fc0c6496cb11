"""Open messages that stream, and go on by range when their connection breaks."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Awaitable, Callable

from sesmail.errors import Unavailable
from sesmail.interfaces import Body
from sesmail.storage.read.transport import Failed, Response

# What is at most so long is opened whole; of a longer message's beginning so much is fetched at first.
IN_MEMORY = 1024 * 1024
HEAD = 64 * 1024


class Checksum:
    """The CRC-32 that the store keeps of an object, where it has one of the whole object."""

    def __init__(self, response: Response) -> None:
        given = response.headers.get(b"x-amz-checksum-crc32", b"")
        # A checksum of parts ends in -N; an answer to a range has none of the whole.
        self._expected = given if response.status == 200 and b"-" not in given else b""
        self._value = 0

    def add(self, data: bytes) -> None:
        """The next bytes in order."""
        if self._expected:
            self._value = zlib.crc32(data, self._value)

    def holds(self) -> bool:
        """Whether all bytes together are what the store was given."""
        return not self._expected or base64.b64encode(self._value.to_bytes(4, "big")) == self._expected


class Stream:
    """A message too large for memory, or of which only the beginning was fetched.

    `resume(offset)` asks for the bytes from there on, of the very same object. A break costs another request; `patience` of them
    without a byte in between end it.
    """

    whole = False

    def __init__(
        self,
        size: int,
        first: bytes,
        response: Response | None,
        checksum: Checksum,
        resume: Callable[[int], Awaitable[Response]],
        *,
        patience: int,
    ) -> None:
        self.size = size
        self._first = first
        self._response = response
        self._checksum = checksum
        self._resume = resume
        self._patience = patience
        self._offset = 0
        self._closed = False

    async def read(self) -> bytes:
        """See Body.read."""
        data, self._first = self._first, b""
        if not data and self._offset < self.size:
            data = await self._next()
        self._offset += len(data)
        self._checksum.add(data)
        if self._offset > self.size or (not data and not self._checksum.holds()):
            raise Unavailable(cause="a message does not match its length or checksum")
        return data

    async def _next(self) -> bytes:
        for _ in range(self._patience):
            if self._closed:
                break
            if self._response is None:
                self._response = await self._resume(self._offset)
            try:
                data = await self._response.read()
            except Failed:
                data = b""
            if data:
                return data
            self._response = None
        raise Unavailable(cause="the store broke off in the middle of a message")

    def close(self) -> None:
        """See Body.close."""
        self._closed = True
        self._first = b""
        if self._response is not None:
            self._response.close()


async def collect(body: Body) -> bytes:
    """All of a body. Raises Unavailable."""
    pieces = []
    while piece := await body.read():
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
