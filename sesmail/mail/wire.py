"""Turn stored mail into what RETR and TOP send: CRLF line ends, dot-stuffing, octets counted on the way.

Both forms are fed stored bytes in pieces of any size; how the bytes were cut never shows in what comes out. The line with the
final dot is the protocol's.
"""

from __future__ import annotations

import re
from typing import Protocol

_CR = 0x0D
_LF = 0x0A
_BLANK_LINE = re.compile(rb"\n\r?\n")


class Form(Protocol):
    """How a message is sent: fed until it is done or the message ends, then finished."""

    @property
    def done(self) -> bool:
        """True when nothing more of the message is wanted."""

    def feed(self, stored: bytes) -> bytes:
        """The next piece as it goes on the wire."""

    def finish(self) -> bytes:
        """What is owed after the last piece."""


class Wire:
    """The whole message (RFC 1939 section 3).

    An LF without CR becomes CRLF, a lone CR stays, and a message that does not end in a newline gets one. Every line that
    begins with a dot gets another in front.
    """

    done = False

    def __init__(self) -> None:
        self.octets = 0
        """Octets so far in CRLF form before stuffing: what LIST should say."""
        # A message begins as if after a newline.
        self._last = _LF

    def feed(self, stored: bytes) -> bytes:
        """The next piece of the message, stuffed."""
        if not stored:
            return b""
        began = b""
        if self._last == _CR and stored[0] == _LF:
            # This LF has its CR in the piece before; what follows it begins a line.
            began, stored, self._last = b"\n", stored[1:], _LF
        starts_line = self._last == _LF
        if stored:
            self._last = stored[-1]
        crlf = _crlf(stored)
        self.octets += len(began) + len(crlf)
        if starts_line and crlf.startswith(b"."):
            began += b"."
        stuffed = crlf.replace(b"\r\n.", b"\r\n..")
        return began + stuffed if began else stuffed

    def finish(self) -> bytes:
        """The final newline where the message has none."""
        if self._last == _LF:
            return b""
        self._last = _LF
        self.octets += 2
        return b"\r\n"


def _crlf(data: bytes) -> bytes:
    # Deleting one character and measuring is the fastest way that CPython has to count it.
    newlines = len(data) - len(data.replace(b"\n", b""))
    if newlines == data.count(b"\r\n"):
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Top:
    """The header, the blank line and the first `lines` lines of the body (RFC 1939 section 7, TOP); then it is done."""

    def __init__(self, lines: int) -> None:
        self.done = False
        self._wire = Wire()
        self._lines = lines
        self._in_header = True
        # The last octets of the header so far: a blank line may be cut anywhere, and may be the first line.
        self._tail = b"\n"

    def feed(self, stored: bytes) -> bytes:
        """The part of this piece that belongs to the top, stuffed; empty once done."""
        if self.done:
            return b""
        end = 0
        if self._in_header:
            end = self._header_end(stored)
        if not self._in_header:
            end += self._body_end(stored[end:])
        return self._wire.feed(stored[:end])

    def finish(self) -> bytes:
        """The final newline where the message ended without one."""
        return self._wire.finish()

    def _header_end(self, stored: bytes) -> int:
        seen = self._tail + stored
        blank = _BLANK_LINE.search(seen)
        if blank is None:
            self._tail = seen[-2:]
            return len(stored)
        self._in_header = False
        return blank.end() - len(self._tail)

    def _body_end(self, stored: bytes) -> int:
        *lines, rest = stored.split(b"\n", min(self._lines, len(stored)))
        self._lines -= len(lines)
        self.done = self._lines == 0
        return len(stored) - len(rest) if self.done else len(stored)
