"""PROXY headers: believed from trusted proxies alone, and before anything else of the connection."""

from __future__ import annotations

import socket
import ssl
import struct
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase

from sesmail.service.certificates import CertificateStore
from sesmail.service.keypair import Pair
from sesmail.service.listeners import Listener
from sesmail.service.proxied import HEADER_SECONDS, NotProxy, ProxiedFactory, Trusted, header_end, parsed
from tests.servers.certificates import Authority
from tests.service.tls import EchoFactory, in_thread, reactor, temporary, trusting

PROXY = IPv4Address("TCP", "10.0.0.1", 40000)
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 5555 110\r\n"
MAGIC = b"\r\n\r\n\x00\r\nQUIT\n"


def v2(source: str, *, command: int = 1, tlv: bytes = b"") -> bytes:
    family, kind = (socket.AF_INET6, 0x21) if ":" in source else (socket.AF_INET, 0x11)
    address = socket.inet_pton(family, source)
    body = address + address + struct.pack("!HH", 5555, 110) + tlv
    return MAGIC + bytes([0x20 | command, kind]) + struct.pack("!H", len(body)) + body


class ProxiedTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.echo = EchoFactory()
        self.factory = ProxiedFactory(self.echo, ["10.0.0.0/24", "2001:db8::1"], self.clock)

    def connect(self, peer: Any = PROXY) -> tuple[Any, StringTransport]:
        protocol: Any = self.factory.buildProtocol(peer)
        transport = StringTransport(peerAddress=peer)
        protocol.makeConnection(transport)
        return protocol, transport

    def seen(self) -> list[tuple[str, int]]:
        return [(peer.host, peer.port) for peer in self.echo.peers]

    def test_the_session_begins_with_the_client_s_address_once_the_header_is_read(self) -> None:
        protocol, transport = self.connect()
        self.assertEqual(self.seen(), [])
        protocol.dataReceived(V1 + b"hello")
        self.assertEqual(self.seen(), [("192.0.2.7", 5555)])
        self.assertEqual(protocol.wrappedProtocol.transport.getPeer(), IPv4Address("TCP", "192.0.2.7", 5555))
        self.assertEqual(protocol.wrappedProtocol.transport.getHost(), IPv4Address("TCP", "198.51.100.1", 110))
        self.assertEqual(transport.value(), b"hello")

    def test_version_2_is_read_too_with_and_without_what_a_proxy_appends(self) -> None:
        for header in (v2("192.0.2.7"), v2("192.0.2.7", tlv=b"\x04\x00\x03abc"), v2("2001:db8::7")):
            protocol, transport = self.connect()
            protocol.dataReceived(header + b"hello")
            self.assertEqual(transport.value(), b"hello")
        self.assertEqual(self.seen(), [("192.0.2.7", 5555)] * 2 + [("2001:db8::7", 5555)])

    @given(st.sampled_from([V1, v2("192.0.2.7"), v2("2001:db8::7", tlv=b"x" * 50)]), st.lists(st.integers(1, 9), max_size=60))
    def test_a_header_may_come_in_any_pieces(self, header: bytes, sizes: list[int]) -> None:
        self.setUp()
        protocol, transport = self.connect()
        data = header + b"hello"
        for size in sizes:
            protocol.dataReceived(data[:size])
            data = data[size:]
        protocol.dataReceived(data)
        self.assertEqual((len(self.seen()), transport.value()), (1, b"hello"))

    def test_a_proxy_that_speaks_for_itself_is_its_own_client(self) -> None:
        for header in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ffff:f::1 ffff:f::1 1 2\r\n", v2("192.0.2.7", command=0)):
            protocol, _ = self.connect()
            protocol.dataReceived(header)
        self.assertEqual(self.seen(), [("10.0.0.1", 40000)] * 3)

    def test_whoever_is_not_trusted_is_dropped_at_once(self) -> None:
        for peer in (IPv4Address("TCP", "10.0.1.1", 1), IPv6Address("TCP", "2001:db8::2", 1)):
            self.assertIsNone(self.factory.buildProtocol(peer))

    def test_trusted_are_addresses_networks_mapped_ones_and_local_sockets(self) -> None:
        trusted = Trusted(["10.0.0.0/24", "2001:db8::1"])
        for host in ("10.0.0.9", "2001:db8::1", "::ffff:10.0.0.9"):
            kind = IPv6Address if ":" in host else IPv4Address
            self.assertIn(kind("TCP", host, 1), trusted)
        self.assertIn(UNIXAddress(b""), trusted)
        self.assertNotIn(IPv6Address("TCP", "::ffff:10.0.1.9", 1), trusted)
        self.assertNotIn(None, trusted)

    def test_a_connection_without_a_header_is_dropped_before_the_session_begins(self) -> None:
        for data in (
            b"CAPA\r\n",
            b"PROXY TCP4 x y 1 2\r\n",
            b"PROXY TCP4 1.2.3.4\r\n",
            b"PROXY " + b"x" * 200,
            MAGIC + b"\x31\x11\0\0",
        ):
            protocol, transport = self.connect()
            protocol.dataReceived(data)
            self.assertTrue(transport.disconnecting, data)
        self.assertEqual(self.seen(), [])

    def test_a_header_that_does_not_come_is_waited_for_in_bounds(self) -> None:
        protocol, transport = self.connect()
        protocol.dataReceived(b"PROXY TCP4")
        self.clock.advance(HEADER_SECONDS - 0.1)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(0.2)
        self.assertTrue(transport.disconnecting)

    def test_the_clock_stops_when_the_header_came_or_the_proxy_left(self) -> None:
        protocol, _ = self.connect()
        protocol.dataReceived(V1)
        self.connect()[0].connectionLost(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_service_that_takes_no_more_drops_the_connection(self) -> None:
        self.patch(self.echo, "buildProtocol", lambda addr: None)
        protocol, transport = self.connect()
        protocol.dataReceived(V1)
        self.assertTrue(transport.disconnecting)

    @given(st.binary(max_size=200))
    def test_no_header_does_more_than_be_refused(self, data: bytes) -> None:
        for start in (b"", MAGIC, b"PROXY "):
            try:
                end = header_end(start + data)
                if end is not None:
                    parsed((start + data)[:end])
            except NotProxy:
                pass


class ProxiedListenerTest(TestCase):
    """TLS lies inside of PROXY: the header comes first, in clear."""

    def setUp(self) -> None:
        folder = temporary(self)
        self.authority = Authority(folder)
        issued = self.authority.issue("localhost")
        self.store = CertificateStore([Pair(issued.certificate, issued.key)], lambda: datetime.now(UTC))

    async def talk(self, *, implicit: bool) -> list[str]:
        factory = EchoFactory(self.store)
        tls = self.store if implicit else None
        listener = Listener(reactor, "haproxy:tcp:0:interface=127.0.0.1", factory, tls=tls, trusted=["127.0.0.1"])
        listener.startService()
        self.addCleanup(listener.stopService)
        port = listener.address.port  # type: ignore[attr-defined]

        def client() -> None:
            with socket.create_connection(("127.0.0.1", port), 10) as plain:
                plain.sendall(V1 if implicit else V1 + b"STLS\r\n")
                assert implicit or plain.recv(5) == b"+OK\r\n"
                with trusting(self.authority.certificate).wrap_socket(plain, server_hostname="localhost") as connection:
                    connection.sendall(b"hello")
                    assert connection.recv(5) == b"hello"

        await in_thread(client)
        return [peer.host for peer in factory.peers]

    async def test_implicit_tls_begins_behind_the_header(self) -> None:
        self.assertEqual(await self.talk(implicit=True), ["192.0.2.7"])

    async def test_stls_begins_behind_the_header(self) -> None:
        self.assertEqual(await self.talk(implicit=False), ["192.0.2.7"])

    async def test_a_header_inside_of_tls_is_not_one(self) -> None:
        description = "haproxy:tcp:0:interface=127.0.0.1"
        listener = Listener(reactor, description, EchoFactory(), tls=self.store, trusted=["127.0.0.1"])
        listener.startService()
        self.addCleanup(listener.stopService)
        port = listener.address.port  # type: ignore[attr-defined]

        def client() -> None:
            with socket.create_connection(("127.0.0.1", port), 10) as plain:
                trusting(None).wrap_socket(plain)

        with self.assertRaises((ssl.SSLError, OSError)):
            await in_thread(client)
