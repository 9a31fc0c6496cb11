"""The way in of one connection: what a client sent and the session has not taken yet, in bounded memory."""

from __future__ import annotations

from typing import Protocol


class LineTooLong(Exception):
    """The line is over its limit. Its tail and all behind it are thrown away: answer if you like, then close."""


class Source(Protocol):
    """What we ask of a transport here."""

    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...


class Inlet:
    """Keeps octets in order. Past `backlog` of them it holds the client back, when told that nobody waits for more."""

    def __init__(self, backlog: int) -> None:
        self._backlog = backlog
        self._octets = bytearray()
        self._held = False
        self._shut = False

    def attach(self, source: Source) -> None:
        """Become the end of this transport's way in."""
        self._source = source

    def __len__(self) -> int:
        """Octets that wait."""
        return len(self._octets)

    def add(self, data: bytes) -> None:
        """What the client sent."""
        if not self._shut:
            self._octets += data

    def hold(self) -> None:
        """Nobody waits for input now: hold the client back if too much of it is here."""
        if len(self._octets) > self._backlog:
            self.stop()

    def stop(self) -> None:
        """Hold the client back."""
        if not self._held:
            self._held = True
            self._source.pauseProducing()

    def let_in(self) -> None:
        """Somebody waits for input, or for the client's goodbye."""
        if self._held:
            self._held = False
            self._source.resumeProducing()

    def shut(self) -> None:
        """Throw away what is here and whatever comes."""
        self._shut = True
        self._octets.clear()

    def line(self, limit: int) -> bytes | None:
        """Take the next line, without its end, which is CRLF or LF; None when it is not whole yet.

        Raises LineTooLong above `limit` octets, line end included.
        """
        end = self._octets.find(b"\n", 0, limit)
        if end < 0:
            if len(self._octets) >= limit:
                self.shut()
                raise LineTooLong
            return None
        line = bytes(self._octets[:end])
        del self._octets[: end + 1]
        if len(self._octets) <= self._backlog // 2:
            self.let_in()
        return line.removesuffix(b"\r")

    def piece(self, most: int) -> bytes:
        """Take what is here, at most so many octets."""
        piece = bytes(self._octets[:most])
        del self._octets[:most]
        return piece

    def put_back(self, octets: bytes) -> None:
        """These were taken in vain: they come next."""
        if not self._shut:
            self._octets[:0] = octets
