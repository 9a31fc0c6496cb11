"""What a door of HTTP is asked, what it answers, and what it must be able to say before the body of a request is read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

from twisted.web.http import datetimeToString
from twisted.web.http_headers import Headers

# RFC 9110 section 15. Twisted's own phrases differ from version to version.
_PHRASES = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    304: "Not Modified",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    418: "I'm a teapot",
    422: "Unprocessable Content",
    428: "Precondition Required",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
# RFC 9110 sections 6.4.1 and 8.6: neither has content, nor the length of any.
_EMPTY = (204, 304)
# RFC 9110 section 5.5, with the octets of other character sets that it calls obsolete.
_FIELD = re.compile(r"[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?")


def phrase(code: int) -> str:
    """The words for a status, as RFC 9110 has them; none for one that it has not."""
    return _PHRASES.get(code, "")


@dataclass(frozen=True)
class Head:
    """A request without its body. `path` is as it was written, without the query; `length` is None for a body in chunks.

    `peer` is the client's address, as the limits and the log have it. `query` is what follows the first ``?``, as it was written. `secure`:
    the connection is TLS's own.
    """

    method: str
    path: str
    headers: Headers
    length: int | None
    peer: str
    query: str = ""
    secure: bool = False

    def header(self, name: str) -> str | None:
        """The value of a header that is there once, else None; each octet is one character."""
        values = self.headers.getRawHeaders(name.encode("ascii"), [])
        return values[0].decode("latin-1") if len(values) == 1 else None


@dataclass(frozen=True)
class Answer:
    """A status with its content, which is its phrase as text where there is no `body`; the type of a `body` is one of the `headers`.

    `close`: no other request is taken on this connection. Raises ValueError for a header that is none.
    """

    code: int
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False
    body: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, value in self.headers:
            if not _FIELD.fullmatch(value):
                raise ValueError(f"the header {name} would not be one")

    def octets(self, now: float, *, last: bool, bare: bool, always: tuple[tuple[str, str], ...] = ()) -> bytes:
        """As it goes over the line at that time (seconds since 1970). `last`: the connection ends with it; `bare`: it answers a HEAD;
        `always`: headers that every answer has."""
        status = f"{self.code} {phrase(self.code)}".rstrip()
        content = f"{status}\n".encode("ascii") if self.body is None else self.body
        headers = [
            ("Server", "sesmail"),
            ("Date", datetimeToString(now).decode("ascii")),
            *always,
            *self.headers,
            *([] if self.code in _EMPTY else self._about(content)),
            *([("Connection", "close")] if last else []),
        ]
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
        return "\r\n".join(lines).encode("latin-1") + (b"" if bare or self.code in _EMPTY else content)

    def _about(self, content: bytes) -> list[tuple[str, str]]:
        text = [("Content-Type", "text/plain; charset=utf-8")] if self.body is None else []
        return [*text, ("Content-Length", str(len(content)))]


class Door(Protocol):
    """What stands behind a site. The site sees to it that requests come one after the other and in time."""

    longest: int
    """Octets of the longest body that is taken."""

    def refusal(self, head: Head) -> Answer | None:
        """The answer for a request whose body need not be seen; None for one that is to be answered with it. Never raises."""

    async def answer(self, head: Head, body: bytes) -> Answer:
        """The answer for a request that was not refused. The client may have left when it comes."""
