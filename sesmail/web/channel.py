"""One connection of HTTP/1.1, bounded in every direction before a door hears of it.

Twisted's channel keeps bodies of any size in files, takes a byte now and then for a sign of life, and before 24.7 answers
requests that were sent ahead out of order (CVE-2024-41671). Its parser is used, all else of that is not.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.web import http

from sesmail.counters import Counter
from sesmail.peers import spelled
from sesmail.web.answers import Answer, Head

if TYPE_CHECKING:
    from sesmail.web.site import Site

_log = logging.getLogger(__name__)

_answers = Counter("sesmail_http_answers_total", "Answers of the doors of HTTP, by status.", ("code",))

# A body in chunks of one octet is six times as long on the line; who sends that means harm.
_CHUNKED_COST = 2
_VERSIONS = frozenset({b"HTTP/1.1", b"HTTP/1.0"})


class Request(http.Request):
    """One request. Its body is kept in memory up to the bound of the door; of one that is refused nothing is kept."""

    channel: Channel

    def __init__(self, channel: Channel, queued: object = False) -> None:
        # Before Twisted 24.7 the second argument counts the requests before this one, which would never be cleaned up.
        super().__init__(channel, False)
        self._head: Head | None = None
        self._refusal: Answer | None = None
        self._body = bytearray()
        self._octets = 0

    def begin(self, head: Head, refusal: Answer | None) -> None:
        """The head is complete; `refusal` is given when the body is, unless that has no end."""
        self._head = head
        self._refusal = refusal
        self.method = head.method.encode("latin-1")

    def handleContentChunk(self, data: bytes) -> None:
        if self.channel.over:
            return
        self._octets += len(data)
        if self._octets > self.channel.site.door.longest:
            self.channel.refuse(self._refusal or Answer(413))
        elif self._refusal is None and self.channel.hold(len(data)):
            self._body += data

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        Deferred.fromCoroutine(self._serve())

    async def _serve(self) -> None:
        answer = self._refusal or await self._asked()
        # The client may have left meanwhile.
        if self.channel is not None:
            self.channel.say(answer, bare=self.method == b"HEAD")
            self.startedWriting = 1
            await self.channel.taken()
        if self.channel is not None:
            self.finish()

    async def _asked(self) -> Answer:
        assert self._head is not None  # noqa: S101
        body, self._body = bytes(self._body), bytearray()
        self.channel.release()
        try:
            return await self.channel.site.door.answer(self._head, body)
        except Exception:
            _log.exception("a request could not be answered")
            return Answer(500)


class Channel(http.HTTPChannel):
    """Reads requests, one at a time. A request must be there in time as a whole, however slowly it moves."""

    # Longer numbers are no numbers to Python, and Twisted's parser would raise.
    MAX_LENGTH = 4096
    totalHeadersSize = 16_384  # noqa: N815
    maxHeaders = 100  # noqa: N815
    requestFactory = Request  # type: ignore[assignment]  # noqa: N815
    site: Site
    transport: Any

    def __init__(self) -> None:
        super().__init__()
        self.peer = ""
        self.over = False
        """True once the last answer was given: whatever comes is thrown away."""
        self._entered = False
        self._answered = 0
        self._held = 0
        self._waiting = True
        self._octets = 0
        self._room: Deferred[None] | None = None

    @property
    def idle(self) -> bool:
        """True while no request is read or answered."""
        return self._waiting

    def connectionMade(self) -> None:
        self.peer = spelled(getattr(self.transport.getPeer(), "host", ""))
        self._entered = self.site.connections.enter(self.peer)
        if not self._entered:
            _log.info("too many connections, one more refused: peer=%s", self.peer)
            self.over = True
            self.transport.abortConnection()
            return
        self.site.channels.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.over = True
        self.release()
        super().connectionLost(reason)
        self._tell_room()
        if self._entered:
            self.site.left(self)

    def dataReceived(self, data: bytes) -> None:
        if self.over:
            return
        if self._waiting:
            self._begin_request()
        self._octets += len(data)
        if self._octets > self.totalHeadersSize + _CHUNKED_COST * self.site.door.longest and not self._handlingRequest:
            self.refuse(Answer(413))
            return
        super().dataReceived(data)

    def resetTimeout(self) -> None:
        """No byte buys more time."""

    def lineReceived(self, line: bytes) -> None:
        if self.over:
            return
        if self._waiting:
            # It came together with the one before.
            self._begin_request()
        super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.refuse(Answer(400))

    def rawDataReceived(self, data: bytes) -> None:
        if self.over:
            return
        if self._handlingRequest:
            # Sent ahead. What has come is kept, and no more is read until it is its turn.
            self._dataBuffer.append(data)
            self._networkProducer.pauseProducing()
        else:
            super().rawDataReceived(data)

    def allHeadersReceived(self) -> None:
        request = self.requests[-1]
        head = self._head(request)
        self.persistent = self.checkPersistence(request, self._version)
        refusal = self._refusal(head)
        expects = self._version == b"HTTP/1.1" and (head.header("Expect") or "").lower() == "100-continue"
        request.begin(head, refusal)
        if refusal is not None and (expects or head.length is None or head.length > self.site.door.longest):
            self.refuse(refusal)
        elif expects:
            self._send100Continue()

    def allContentReceived(self) -> None:
        if self.over:
            return
        # Without this Twisted before 24.7 would begin with the next request at once.
        self.setRawMode()
        super().allContentReceived()

    def _finishRequestBody(self, data: bytes) -> None:
        # The other way round, as before Twisted 24.7, what was sent ahead would be forgotten when the answer is given at once.
        if not self.over:
            self._dataBuffer.append(data)
            self.allContentReceived()

    def requestDone(self, request: http.Request) -> None:
        self._waiting = True
        self._savedTimeOut = self.site.idle
        super().requestDone(request)

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self._tell_room()

    async def taken(self) -> None:
        """Returns when most of what was said is on its way, or the connection has ended, as it does when the peer takes too long. Who
        sends ahead and reads nothing would otherwise have one answer after the other kept for him."""
        if self._waitingForTransport and not self.over:
            self._room = Deferred()
            self.setTimeout(self.site.taking)
            await self._room

    def _tell_room(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            self.setTimeout(None)
            room.callback(None)

    def say(self, answer: Answer, *, bare: bool = False) -> None:
        """Write an answer."""
        self._answered += 1
        _answers.add(str(answer.code))
        last = answer.close or self.site.draining or not self.persistent or self._answered >= self.site.requests
        self.persistent = not last
        octets = answer.octets(self.site.reactor.seconds(), last=last, bare=bare, always=self.site.headers)
        self.transport.write(octets)

    def refuse(self, answer: Answer) -> None:
        """Answer now, without the rest of the request, and hang up."""
        if not self.over:
            self.persistent = False
            self.say(answer, bare=bool(self.requests) and self.requests[-1].method == b"HEAD")
            self.requests.clear()
            self.release()
            self.loseConnection()

    def hold(self, octets: int) -> bool:
        """Count octets of a body that are kept; False, and the request is refused, when all bodies together are too many."""
        if self.site.held + octets > self.site.memory:
            self.refuse(Answer(503))
            return False
        self._held += octets
        self.site.held += octets
        return True

    def release(self) -> None:
        """Nothing is kept any more: the body was given on, or away."""
        self.site.held -= self._held
        self._held = 0

    def loseConnection(self) -> None:
        """Say no more. The peer has a moment to read what was said: a connection that is closed while octets of the peer are
        unread is reset, and what is under way to him is lost."""
        self.over = True
        self.clearLineBuffer()
        self._networkProducer.resumeProducing()
        self.transport.unregisterProducer()
        self.setTimeout(self.site.parting)
        if isinstance(self.transport, TLSMemoryBIOProtocol):
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()

    def timeoutConnection(self) -> None:
        if self.over or self._room is not None:
            self.transport.abortConnection()
        elif self._waiting:
            self.loseConnection()
        else:
            self.refuse(Answer(408))

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(Answer(400))

    def _begin_request(self) -> None:
        self._waiting = False
        self._octets = 0
        self.setTimeout(self.site.reading)

    def _head(self, request: Request) -> Head:
        path, _, query = self._path.decode("latin-1").partition("?")
        secure = isinstance(self.transport, TLSMemoryBIOProtocol)
        return Head(self._command.decode("latin-1"), path, request.requestHeaders, self.length, self.peer, query, secure)

    def _refusal(self, head: Head) -> Answer | None:
        if self._version not in _VERSIONS:
            return Answer(400, close=True)
        refusal = self.site.door.refusal(head)
        if refusal is None and head.length is not None and head.length > self.site.door.longest:
            return Answer(413, close=True)
        return refusal
