"""Real sockets on 127.0.0.1, for what a memory transport cannot show."""

from __future__ import annotations

import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import deferLater
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase

from sesmail.protocols.factory import SessionFactory
from sesmail.protocols.limits import Connections
from sesmail.protocols.pop3.factory import POP3Factory
from sesmail.protocols.pop3.policy import Policy
from tests.protocols.memory import MemoryPost
from tests.servers.certificates import Authority

reactor: Any = _reactor

CREDENTIALS = ("joe@example.com", "secret")
BIG = b"x" * 998 + b"\r\n"


class Sockets(TestCase):
    """A listener on 127.0.0.1 with a private authority's certificate."""

    timeout = 60

    def setUp(self) -> None:
        directory = Path(tempfile.mkdtemp())
        self.authority = authority = Authority(directory)
        issued = authority.issue("localhost", "127.0.0.1")
        pem = issued.certificate.read_bytes() + issued.key.read_bytes()
        self.tls = PrivateCertificate.loadPEM(pem).options()
        self.trust = ssl.create_default_context(cafile=str(authority.certificate))
        self.ports: list[Any] = []
        self.factories: list[Any] = []
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close()))

    async def close(self) -> None:
        for port in self.ports:
            await port.stopListening()
        for factory in self.factories:
            await factory.drain(0.2)
        await self.until(lambda: not any(factory.sessions for factory in self.factories))

    def listen(self, post: MemoryPost, policy: Policy | None = None, *, implicit: bool = False) -> int:
        factory = POP3Factory(
            post.portal, policy or Policy(), Connections(100, 100), tls=self.tls, implicit=implicit, clock=reactor
        )
        return self.open(factory, implicit=implicit)

    def open(self, factory: SessionFactory, *, implicit: bool) -> int:
        """Serve this factory; returns the port."""
        self.factories.append(factory)
        wrapped = TLSMemoryBIOFactory(self.tls, False, factory) if implicit else factory
        self.ports.append(reactor.listenTCP(0, wrapped, interface="127.0.0.1"))
        return int(self.ports[-1].getHost().port)

    async def until(self, true: Callable[[], object], seconds: float = 20) -> None:
        ends = reactor.seconds() + seconds
        while not true():
            self.assertLess(reactor.seconds(), ends, "it never came true")
            await deferLater(reactor, 0.01, lambda: None)

    @property
    def sessions(self) -> Any:
        return self.factories[-1].sessions


def connected(port: int, *, greeting: bool = True) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), 20)
    if greeting:
        assert client.recv(100).startswith(b"+OK")
    return client


def narrow(port: int) -> socket.socket:
    """A connection whose kernel takes little that is not read."""
    client = socket.socket()
    client.settimeout(20)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    return client


def receive(client: socket.socket, octets: int) -> bytes:
    got = b""
    while len(got) < octets:
        got += client.recv(65536) or b"?" * octets
    return got


def everything(client: socket.socket) -> bytes:
    got: list[bytes] = []
    try:
        while piece := client.recv(65536):
            got.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(got)
