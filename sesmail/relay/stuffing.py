"""A message as it follows DATA (RFC 5321 section 4.5.2), in whatever pieces it comes and whatever its line ends are."""

from __future__ import annotations


class Stuffing:
    """Adds the dots and the end. How the message was cut never shows.

    A message with CRLF line ends goes out octet for octet. A CR or an LF that stands alone becomes CRLF, for there are servers that
    take either for the end of a line, and then a dot for the end of the message (RFC 5321 section 2.3.8).
    """

    def __init__(self) -> None:
        self._held = b""
        self._starts_line = True

    def feed(self, piece: bytes) -> bytes:
        """The next octets on the wire. A CR at the end of the piece waits for the next one."""
        data = self._held + piece
        self._held = b"\r" if data.endswith(b"\r") else b""
        return self._stuffed(data[: len(data) - len(self._held)])

    def finish(self) -> bytes:
        """A line end where the message has none, and the line with the dot."""
        last = self._stuffed(self._held)
        self._held = b""
        return last + (b".\r\n" if self._starts_line else b"\r\n.\r\n")

    def _stuffed(self, data: bytes) -> bytes:
        if not data:
            return b""
        alone = data.replace(b"\r\n", b"")
        if b"\r" in alone or b"\n" in alone:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
        first = b"." if self._starts_line and data.startswith(b".") else b""
        self._starts_line = data.endswith(b"\n")
        return first + data.replace(b"\r\n.", b"\r\n..")
