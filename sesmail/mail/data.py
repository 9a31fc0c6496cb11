"""What follows DATA, as it comes from a socket, made the message again (RFC 5321 section 4.5.2)."""

from __future__ import annotations

from typing import Literal

_END = b"\r\n.\r\n"
_DOT = b"\r\n."
_NO_LINE_END = bytes(octet for octet in range(256) if octet not in b"\r\n")


class DataDecoder:
    """Removes the dots and finds the end, which is CRLF, a dot and CRLF and nothing that resembles it.

    How the octets were cut never shows. No line is too long. A CR or LF that stands alone sets `bare`; with ``refuse`` what `feed`
    gives is then of no use, yet decoding goes on to the real end, so that nothing of such a message can become a command. With
    ``repair`` it becomes CRLF, as a line end that ends no message and before which no dot is removed. At most four octets are held back.
    """

    def __init__(self, *, bare: Literal["refuse", "repair"] = "refuse") -> None:
        self.bare = False
        self.ended = False
        self.rest = b""
        """What came behind the end, in the piece with the end."""
        self._repair = bare == "repair"
        # The message begins as if after the CRLF of the DATA command, which is not part of it.
        self._held = b"\r\n"
        self._foreign = 2

    def feed(self, piece: bytes) -> bytes:
        """The next octets of the message, whole line ends only. Not to be called once `ended`."""
        data = self._held + piece
        # Most pieces have no line that begins with a dot, and hence no end: one look tells both.
        dotted = _DOT in data
        end = data.find(_END) if dotted else -1
        if end < 0:
            keep = len(data) - _begun(data)
            self._held, stuffed = data[keep:], data[:keep]
        else:
            self.ended = True
            self._held, self.rest, stuffed = b"", data[end + len(_END) :], data[: end + 2]
        self.bare = self.bare or _has_bare(stuffed)
        return self._mended(self._owned(stuffed.replace(_DOT, b"\r\n") if dotted else stuffed))

    def _owned(self, plain: bytes) -> bytes:
        if plain and self._foreign:
            plain, self._foreign = plain[self._foreign :], 0
        return plain

    def _mended(self, plain: bytes) -> bytes:
        # After the dots are gone: a mended line end removes none.
        if self.bare and self._repair:
            return plain.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
        return plain


def _begun(data: bytes) -> int:
    """How many octets at the end of `data` could begin the end of the message."""
    return next((length for length in range(len(_END) - 1, 0, -1) if data.endswith(_END[:length])), 0)


def _has_bare(stuffed: bytes) -> bool:
    # Deleting all other octets in one call is the fastest count of CR and LF that CPython has, however short the lines are.
    return len(stuffed.translate(None, _NO_LINE_END)) != 2 * stuffed.count(b"\r\n")
