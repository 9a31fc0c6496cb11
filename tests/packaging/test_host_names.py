"""Host names of TLS servers are really checked with the libraries installed here, the oldest set included.

Without service-identity, or with its 18.1 and no six beside it, Twisted quietly goes by the common name alone.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import Certificate, PrivateCertificate, optionsForClientTLS
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tests.servers.certificates import Authority


class Greeter(Protocol):
    """Greets, and is gone."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")
        self.transport.loseConnection()


class Visitor(Protocol):
    """What the server said, or why it was not heard."""

    def __init__(self) -> None:
        self.heard = b""
        self.gone: Deferred[BaseException | None] = Deferred()

    def connectionMade(self) -> None:
        # TLS begins with the first byte that is written.
        assert self.transport is not None
        self.transport.write(b"\n")

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.gone.callback(reason.value)


class HostNames(TestCase):
    def setUp(self) -> None:
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.authority = Authority(Path(directory.name))

    async def visit(self, host: str, *names: str, common: str = "") -> tuple[bytes, BaseException | None]:
        """What is heard under the name `host` from a server whose certificate has `names`, and how it ended."""
        issued = self.authority.issue(*names, common=common)
        own = PrivateCertificate.loadPEM(issued.key.read_bytes() + issued.certificate.read_bytes())
        port = await SSL4ServerEndpoint(reactor, 0, own.options(), interface="127.0.0.1").listen(Factory.forProtocol(Greeter))
        trust = Certificate.loadPEM(self.authority.certificate.read_bytes())
        where = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        visitor = await connectProtocol(wrapClientTLS(optionsForClientTLS(host, trustRoot=trust), where), Visitor())
        reason = await visitor.gone
        await port.stopListening()
        return visitor.heard, reason

    async def assert_good(self, host: str, *names: str) -> None:
        heard, _ = await self.visit(host, *names)
        self.assertEqual(heard, b"hello")

    async def assert_refused(self, host: str, *names: str, common: str = "") -> None:
        heard, reason = await self.visit(host, *names, common=common)
        self.assertEqual(heard, b"")
        self.assertIn("verif", repr(reason).lower())

    async def test_its_name_is_good(self) -> None:
        await self.assert_good("s3.example.com", "s3.example.com")

    async def test_its_second_name_is_good(self) -> None:
        await self.assert_good("s3.example.com", "other.example.com", "s3.example.com")

    async def test_its_wildcard_is_good(self) -> None:
        await self.assert_good("bucket.s3.example.com", "*.s3.example.com")

    async def test_its_address_is_good(self) -> None:
        await self.assert_good("127.0.0.1", "127.0.0.1")

    async def test_another_name_is_refused(self) -> None:
        await self.assert_refused("s3.example.com", "s3.example.org")

    async def test_another_address_is_refused(self) -> None:
        await self.assert_refused("127.0.0.1", "127.0.0.2")

    async def test_a_wildcard_is_one_label(self) -> None:
        await self.assert_refused("a.b.example.com", "*.example.com")

    async def test_the_common_name_alone_is_refused(self) -> None:
        await self.assert_refused("s3.example.com", "other.example.com", common="s3.example.com")
