"""An HTTP server that answers by a script, for what a real S3 server cannot be made to do: break off, stall, refuse once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol

from sesmail.aws.sessions import Clients
from sesmail.interfaces import Keys, StorePlace
from sesmail.storage.read.pool import Pool
from sesmail.storage.read.requests import Requests
from sesmail.storage.read.s3 import S3Reader
from sesmail.storage.read.turns import Turns

clock: Any = reactor
_CLIENTS = Clients()
# The transport of a test leads to its own server, whatever the address.
_PLACE = StorePlace("s3://mail", endpoint="http://127.0.0.1:9", keys=Keys("AKIA", "secret"))


@dataclass(frozen=True)
class Answer:
    """What goes out for one request, and then: ``keep`` the connection, ``close`` it, ``reset`` it."""

    data: bytes = b""
    then: str = "keep"


def ok(body: bytes, status: str = "200 OK", **headers: object) -> Answer:
    """A whole answer."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return Answer(f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def error(status: str, code: str, **headers: object) -> Answer:
    """An S3 error answer."""
    return ok(f"<Error><Code>{code}</Code></Error>".encode(), status, **headers)


Scripted = Answer | Callable[[str], Answer]


@dataclass
class Script:
    """The answers to come (or how to make one from the request), and the requests that were seen (request line and headers)."""

    answers: list[Scripted]
    seen: list[str] = field(default_factory=list)
    open: set[Any] = field(default_factory=set)


class _Server(Protocol):
    def __init__(self, script: Script) -> None:
        self._script = script
        self._buffer = b""

    def connectionMade(self) -> None:
        self._script.open.add(self.transport)

    def connectionLost(self, reason: Any = None) -> None:
        self._script.open.discard(self.transport)

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            self._script.seen.append(head.decode())
            scripted = self._script.answers.pop(0) if self._script.answers else Answer(b"", "close")
            self._answer(scripted if isinstance(scripted, Answer) else scripted(self._script.seen[-1]))

    def _answer(self, answer: Answer) -> None:
        transport: Any = self.transport
        transport.write(answer.data)
        if answer.then == "close":
            transport.loseConnection()
        elif answer.then == "reset":
            # What was written must be on its way before the reset overtakes it.
            clock.callLater(0.02, transport.abortConnection)


class _Servers(Factory):
    noisy = False

    def __init__(self, script: Script) -> None:
        self._script = script

    def buildProtocol(self, addr: IAddress | None) -> _Server:
        return _Server(self._script)


async def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    """A worker pool without workers."""
    return function(*arguments)


def listen(answers: Sequence[Scripted], cleanup: Callable[..., None]) -> tuple[Script, int]:
    """A server with this script; `cleanup` is the test's addCleanup."""
    script = Script(list(answers))
    port = clock.listenTCP(0, _Servers(script), interface="127.0.0.1")

    def stop() -> Any:
        for transport in list(script.open):
            transport.abortConnection()
        return port.stopListening()

    cleanup(stop)
    return script, port.getHost().port


def reader(port: int, cleanup: Callable[..., None], *, place: StorePlace | None = None, **options: Any) -> S3Reader:
    """A reader of the bucket ``mail`` behind that port (or of a place that answers there for the test), quick to retry."""
    pool = Pool(
        clock,
        TCP4ClientEndpoint(clock, "127.0.0.1", port),
        size=options.pop("size", 4),
        read_timeout=options.pop("read_timeout", 5),
    )
    cleanup(pool.close)
    requests = Requests(
        place or _PLACE, _CLIENTS, at_once, lambda _: pool, clock=clock, attempts=4, chance=lambda: 0.01, **options
    )
    return S3Reader(requests, Turns(clock), attempts=4)
