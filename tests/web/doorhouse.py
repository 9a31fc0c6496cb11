"""The SNS door on a real port, with a signer of its own for SNS, and clients that speak to it octet by octet."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase

from sesmail.aws.sns import Message, Signatures
from sesmail.aws.snscertificates import Certificates
from sesmail.protocols.limits import Connections
from sesmail.web.proofs import Budget, Proofs
from sesmail.web.site import Site
from sesmail.web.snsdoor import Login, SnsDoor
from tests.aws.snssigner import NOW, Signer, body, headers

reactor: Any = _reactor
LOGIN = Login("sns", "geheim")
BASIC = "Basic c25zOmdlaGVpbQ=="


class House:
    """A door on 127.0.0.1:`port`. What it took is in `taken`, what it confirmed in `confirmed`; `taking` and `confirming` can be
    replaced by what shall happen then. Options are those of the door; `site` has those of its site."""

    def __init__(
        self,
        test: TestCase,
        *,
        tls: Any = None,
        total: int = 100,
        per_address: int = 100,
        site: Mapping[str, Any] = {},
        versions: tuple[str, ...] = ("1", "2"),
        **options: Any,
    ) -> None:
        self.signer = Signer()
        self.taken: list[str] = []
        self.again: list[bool] = []
        self.confirmed: list[Message] = []
        self.taking: Callable[[str], Awaitable[None]] = _nothing
        self.confirming: Callable[[Message], Awaitable[None]] = _nothing
        self.now = NOW
        signatures = Signatures([self.signer.topic], Certificates(self.signer.fetch), versions=versions)
        proofs = Proofs(signatures, deferToThread, Budget(lambda: self.now), now=lambda: self.now)
        self.door = SnsDoor(self._take, proofs.check, self._confirm, clock=reactor, now=lambda: self.now, **options)
        self.connections = Connections(total, per_address)
        self.site = Site(self.door, self.connections, clock=reactor, **site)
        factory = TLSMemoryBIOFactory(tls, False, self.site) if tls else self.site
        listening = reactor.listenTCP(0, factory, interface="127.0.0.1", backlog=1024)
        self.port: int = listening.getHost().port
        test.addCleanup(lambda: Deferred.fromCoroutine(self.site.drain(0.5)))
        test.addCleanup(listening.stopListening)

    async def _take(self, text: str, again: bool) -> None:
        await self.taking(text)
        self.taken.append(text)
        self.again.append(again)

    async def _confirm(self, message: Message) -> None:
        await self.confirming(message)
        self.confirmed.append(message)

    def client(self, tls: ssl.SSLContext | None = None) -> Client:
        """A new connection; call it in a thread."""
        return Client(self.port, tls)

    async def post(self, message: Mapping[str, object], *, basic: str | None = None) -> int:
        """The status of one message, on a connection of its own."""
        return await deferToThread(self._posted, message, basic)

    def _posted(self, message: Mapping[str, object], basic: str | None) -> int:
        with self.client() as client:
            client.send(post(message, basic=basic))
            return client.status()


class Client:
    """One connection. Everything waits for ten seconds at most."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        # With a timeout, connecting itself would fail where the server hangs up at once.
        plain = socket.create_connection(("127.0.0.1", port))
        plain.settimeout(10)
        self.socket = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        self._rest = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def answer(self, *, bare: bool = False) -> str:
        """The next answer, as it came but for the date."""
        while b"\r\n\r\n" not in self._rest:
            self._more()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        length = re.search(rb"^Content-Length: (\d+)\r?$", head, re.MULTILINE)
        size = 0 if bare or length is None else int(length[1])
        while len(self._rest) < size:
            self._more()
        body, self._rest = self._rest[:size], self._rest[size:]
        dated = re.sub(r"\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "", head.decode())
        return f"{dated}\r\n\r\n{body.decode()}"

    def status(self) -> int:
        return int(self.answer().split(" ")[1])

    def ended(self) -> bool:
        """Waits for the end of the connection; False when anything but an end came."""
        try:
            return not self._rest and self.socket.recv(65536) == b""
        except ConnectionResetError:
            return True

    def _more(self) -> None:
        piece = self.socket.recv(65536)
        if not piece:
            raise EOFError(self._rest)
        self._rest += piece


def post(message: Mapping[str, object], *, basic: str | None = None, path: str = "/") -> bytes:
    """SNS's request with this message."""
    said = {"Host": "localhost", **headers(message)} | ({"Authorization": basic} if basic else {})
    return request("POST", said, body(message), path=path)


def request(method: str, said: Mapping[str, str] = {}, octets: bytes | None = None, *, path: str = "/") -> bytes:
    length = {} if octets is None else {"Content-Length": str(len(octets))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in {**said, **length}.items()), "", ""]
    return "\r\n".join(lines).encode() + (octets or b"")


def said(code: str, *headers: str, close: bool = False, bare: bool = False) -> str:
    """An answer of the door, but for its date: `headers` are those that not every answer has."""
    lines = [f"HTTP/1.1 {code}", "Server: sesmail", *headers, "Content-Type: text/plain; charset=utf-8"]
    lines += [f"Content-Length: {len(code) + 1}", *(["Connection: close"] if close else [])]
    return "\r\n".join([*lines, "", "" if bare else f"{code}\n"])


def failing(error: Exception | None) -> Any:
    """What raises this, or does nothing, instead of taking or confirming."""

    async def carried_out(_: object) -> None:
        if error is not None:
            raise error

    return carried_out


def later(seconds: float) -> Deferred[None]:
    """So many seconds later."""
    waited: Deferred[None] = Deferred()
    reactor.callLater(seconds, waited.callback, None)
    return waited


async def until(true: Callable[[], object]) -> None:
    """Poll until `true()`, for ten seconds at most."""
    for _ in range(1000):
        if true():
            return
        await later(0.01)
    raise AssertionError("it did not come about")


async def _nothing(_: object) -> None:
    pass
