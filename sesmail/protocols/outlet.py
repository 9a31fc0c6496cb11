"""The way out of one connection: backpressure from the transport, and a peer that takes nothing is noticed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IOpenSSLServerConnectionCreator,
    IPushProducer,
    IReactorTime,
)
from zope.interface import implementer

from sesmail.protocols.progress import Moved, moved


class Connection(Protocol):
    """What we ask of a transport; TCP, UNIX and TLS transports have it, and wrappers pass it on."""

    def writeSequence(self, data: Sequence[bytes]) -> None: ...
    def loseConnection(self) -> None: ...
    def abortConnection(self) -> None: ...
    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def registerProducer(self, producer: object, streaming: bool) -> None: ...
    def unregisterProducer(self) -> None: ...
    def startTLS(self, tls: IOpenSSLServerConnectionCreator, /) -> None: ...
    def getPeer(self) -> IAddress: ...


@implementer(IPushProducer)
class Outlet:
    """Registered with the transport as its producer for the whole connection.

    `stalled` is called when the transport is full, or the connection is closing, and the peer has taken no octet for `stall`
    seconds; `lost` when the transport gives up (that is before `connectionLost`); `opened` when it takes more again.
    """

    def __init__(
        self,
        clock: IReactorTime,
        stall: float,
        *,
        stalled: Callable[[], None],
        lost: Callable[[], None],
        opened: Callable[[], None],
    ) -> None:
        self.full = False
        self._clock = clock
        self._stall = stall
        self._stalled = stalled
        self._lost = lost
        self._opened = opened
        self._watch: IDelayedCall | None = None
        self._seen: Moved | None = None

    def attach(self, transport: Connection) -> None:
        """Become the transport's producer."""
        self._transport = transport
        transport.registerProducer(self, True)

    def write(self, *pieces: bytes) -> None:
        """Hand octets to the transport in one write."""
        self._transport.writeSequence(pieces)

    def moved(self) -> Moved | None:
        """How far the peer is."""
        return moved(self._transport)

    def close(self) -> None:
        """Let what was written go out, then close. A peer that does not take it is as stalled as any other."""
        self._transport.unregisterProducer()
        self._transport.loseConnection()
        # Neither loseConnection nor TLS's own goodbye ends by itself when the peer is silent.
        self._start_watch()

    def stop(self) -> None:
        """Stop watching: the connection is over."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def pauseProducing(self) -> None:
        """The transport is full."""
        self.full = True
        self._start_watch()

    def resumeProducing(self) -> None:
        """The transport takes more."""
        self.full = False
        self.stop()
        self._opened()

    def stopProducing(self) -> None:
        """The transport is dead."""
        self.stop()
        self._lost()

    def _start_watch(self) -> None:
        if self._watch is None:
            self._seen = self.moved()
            self._watch = self._clock.callLater(self._stall, self._look)

    def _look(self) -> None:
        self._watch = None
        seen = self.moved()
        if seen is None or (self._seen is not None and seen.octets == self._seen.octets):
            self._stalled()
        else:
            self._start_watch()
