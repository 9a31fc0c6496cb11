"""What a door of HTTP is asked, what it answers, and what it must be able to say before the body of a request is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from twisted.web.http import datetimeToString
from twisted.web.http_headers import Headers

# RFC 9110 section 15. Twisted's own phrases differ from version to version.
_PHRASES = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True)
class Head:
    """A request without its body. `path` is as it was written, without the query; `length` is None for a body in chunks.

    `peer` is the client's address, as the limits and the log have it.
    """

    method: str
    path: str
    headers: Headers
    length: int | None
    peer: str

    def header(self, name: str) -> str | None:
        """The value of a header that is there once, else None; each octet is one character."""
        values = self.headers.getRawHeaders(name.encode("ascii"), [])
        return values[0].decode("latin-1") if len(values) == 1 else None


@dataclass(frozen=True)
class Answer:
    """A status, and its phrase as the text. `close`: no other request is taken on this connection."""

    code: int
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False

    def octets(self, now: float, *, last: bool, bare: bool) -> bytes:
        """As it goes over the line at that time (seconds since 1970). `last`: the connection ends with it; `bare`: it answers a HEAD."""
        text = f"{self.code} {_PHRASES[self.code]}\n"
        headers = [
            ("Server", "sesmail"),
            ("Date", datetimeToString(now).decode("ascii")),
            *self.headers,
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(text))),
            *([("Connection", "close")] if last else []),
        ]
        lines = [f"HTTP/1.1 {text.rstrip()}", *(f"{name}: {value}" for name, value in headers), "", ""]
        return ("\r\n".join(lines) + ("" if bare else text)).encode("ascii")


class Door(Protocol):
    """What stands behind a site. The site sees to it that requests come one after the other and in time."""

    longest: int
    """Octets of the longest body that is taken."""

    def refusal(self, head: Head) -> Answer | None:
        """The answer for a request whose body need not be seen; None for one that is to be answered with it. Never raises."""

    async def answer(self, head: Head, body: bytes) -> Answer:
        """The answer for a request that was not refused. The client may have left when it comes."""
