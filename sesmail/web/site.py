"""The connections of one door of HTTP: how many there may be, how long they may take, and their end together."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.web import http

from sesmail.web.answers import Door
from sesmail.web.channel import Channel


class Connections(Protocol):
    """Counts connections in all and by address."""

    def enter(self, peer: str) -> bool: ...
    def leave(self, peer: str) -> None: ...


class Site(http.HTTPFactory):
    """Serves one door. Twisted's log of requests is not kept.

    Seconds: a request must have come as a whole `reading` after its first octet; a connection on which none begins is closed after
    `idle`, which is also the time for a TLS handshake; a long answer must have been taken after `taking`; who was told goodbye has
    `parting` to leave. A connection ends after so many `requests`. `memory`: octets of all bodies that are being read. `headers` are
    those that every answer has, whatever becomes of the request.
    """

    protocol = Channel  # type: ignore[assignment]
    noisy = False

    def __init__(
        self,
        door: Door,
        connections: Connections,
        *,
        clock: Any,
        reading: float = 20.0,
        idle: float = 30.0,
        parting: float = 2.0,
        taking: float = 60.0,
        requests: int = 1000,
        memory: int = 64 << 20,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(timeout=idle, reactor=clock)
        self.door = door
        self.connections = connections
        self.reading = reading
        self.idle = idle
        self.parting = parting
        self.requests = requests
        self.memory = memory
        self.taking = taking
        self.headers = headers
        self.held = 0
        """Octets of bodies that are being read."""
        self.draining = False
        """True once every answer is the last of its connection."""
        self.channels: set[Channel] = set()
        self._empty: Deferred[None] | None = None

    @property
    def open(self) -> int:
        """Connections that live."""
        return len(self.channels)

    def buildProtocol(self, addr: Any) -> Any:
        channel: Any = super().buildProtocol(addr)
        channel.site = self
        return channel

    def startFactory(self) -> None:
        """Nothing to begin: Twisted's would begin its log."""

    def stopFactory(self) -> None:
        """Nothing to end."""

    def log(self, request: http.Request) -> None:
        """The doors log what became of what they were asked."""

    def left(self, channel: Channel) -> None:
        """A connection that was counted has ended."""
        self.channels.discard(channel)
        self.connections.leave(channel.peer)
        if self._empty is not None and not self.channels and not self._empty.called:
            self._empty.callback(None)

    async def drain(self, seconds: float) -> None:
        """End every connection: idle ones at once, others with the answer that is owed, the rest after `seconds` by force."""
        self.draining = True
        for channel in tuple(self.channels):
            if channel.idle and not channel.over:
                channel.loseConnection()
        if self.channels:
            self._empty = Deferred()
            timer = self.reactor.callLater(seconds, self._end)
            await self._empty
            if timer.active():
                timer.cancel()

    def _end(self) -> None:
        for channel in tuple(self.channels):
            channel.transport.abortConnection()
