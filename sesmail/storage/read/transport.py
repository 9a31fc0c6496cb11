"""What the read path asks of an HTTP client: requests whose answers are pulled piece by piece.

Redirects, retries and the meaning of a status belong to who asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Failed(Exception):
    """No (whole) response came: connection refused or reset, a timeout, or bytes that are not HTTP. Asking again may help."""


class Response(Protocol):
    """A status, headers (names in lower case) and the body, pulled piece by piece."""

    status: int
    headers: dict[bytes, bytes]

    async def read(self) -> bytes:
        """The next piece of the body, ``b""`` after the last. Raises Failed when it ends short."""

    def close(self) -> None:
        """Give up the rest. A connection whose body was not read to its end is not used again."""


class Transport(Protocol):
    """Sends a request; `headers` include the host."""

    async def get(self, target: str, headers: Sequence[tuple[str, str]]) -> Response:
        """Raises Failed."""

    async def post(self, target: str, headers: Sequence[tuple[str, str]], body: bytes) -> Response:
        """Raises Failed. May be sent twice, like a GET: for what asks and changes nothing."""

    def close(self) -> None:
        """Drop every connection; requests under way fail."""
