"""The PROXY protocol (v1 and v2), taken only from trusted proxies, before anything else of a connection is believed.

Twisted's own wrapper opens the session before it has read the header, so that limits and logs would see the proxy's
address; it believes anybody; and it drops a header that comes in two pieces.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolFactory, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.protocols.haproxy._exceptions import InvalidProxyHeader
from twisted.protocols.haproxy._info import ProxyInfo
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper, HAProxyWrappingFactory
from twisted.python.failure import Failure

_log = logging.getLogger(__name__)

HEADER_SECONDS = 10.0
_V1_LONGEST = 107
_V2_FIXED = 16
# The addresses and what a proxy appends to them (TLVs): far more than any sends.
_V2_LONGEST = 4096


class NotProxy(Exception):
    """The connection did not begin with a header that we understand."""


class Trusted:
    """Addresses and networks of proxies. Peers of a UNIX socket are trusted: its file's mode says who may connect."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(text, strict=False) for text in networks]

    def __contains__(self, peer: object) -> bool:
        if isinstance(peer, UNIXAddress):
            return True
        if not isinstance(peer, IPv4Address | IPv6Address):
            return False
        address = ip_address(peer.host.partition("%")[0])
        # An IPv4 peer of a socket that takes both looks like ::ffff:192.0.2.1.
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in self._networks)


class ProxiedProtocol(HAProxyProtocolWrapper):
    """Builds and connects the wrapped protocol once the header has been read; `getPeer` is then the client's address."""

    factory: ProxiedFactory
    transport: ITCPTransport
    _header = b""
    _begun = False
    _deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._deadline = self.factory.clock.callLater(HEADER_SECONDS, self._refuse, "no header in time")

    def dataReceived(self, data: bytes) -> None:
        if self._begun:
            self.wrappedProtocol.dataReceived(data)
            return
        self._header += data
        try:
            end = header_end(self._header)
            if end is not None:
                self._begin(end)
        except NotProxy as error:
            self._refuse(str(error))

    def _begin(self, end: int) -> None:
        header, rest = self._header[:end], self._header[end:]
        self._proxyInfo = parsed(header)
        wrapped = self.factory.wrappedFactory.buildProtocol(self.getPeer())
        if wrapped is None:
            raise NotProxy("the service is closed")
        self._header = b""
        self._stop_clock()
        self._begun = True
        self.wrappedProtocol = wrapped
        wrapped.makeConnection(self)
        if rest:
            wrapped.dataReceived(rest)

    def _refuse(self, why: str) -> None:
        _log.warning("connection from proxy %s dropped: %s", self.transport.getPeer(), why)
        self._stop_clock()
        self._header = b""
        self.transport.abortConnection()

    def _stop_clock(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self._stop_clock()
        super().connectionLost(reason)


class ProxiedFactory(HAProxyWrappingFactory):
    """Wraps `factory` for connections that come through proxies; whoever else connects is dropped at once."""

    protocol = ProxiedProtocol  # type: ignore[assignment]
    noisy = False

    def __init__(self, factory: IProtocolFactory, trusted: Iterable[str], clock: IReactorTime) -> None:
        super().__init__(factory)
        self.clock = clock
        self._trusted = Trusted(trusted)

    def buildProtocol(self, addr: IAddress | None) -> ProxiedProtocol | None:  # type: ignore[override]
        if addr not in self._trusted:
            _log.warning("connection from %s dropped: not a trusted proxy", addr)
            return None
        # Stands in until the header says who the client is.
        return ProxiedProtocol(self, Protocol())  # type: ignore[arg-type]


def header_end(data: bytes) -> int | None:
    """Where the header ends, None while it is not complete. Raises NotProxy when `data` cannot become one."""
    if data[:12] == V2Parser.PREFIX[: len(data)]:
        return _v2_end(data)
    if data[:5] == V1Parser.PROXYSTR[: len(data)]:
        return _v1_end(data)
    raise NotProxy("no PROXY header")


def _v1_end(data: bytes) -> int | None:
    end = data.find(V1Parser.NEWLINE, 0, _V1_LONGEST)
    if end < 0 and len(data) >= _V1_LONGEST:
        raise NotProxy("PROXY header too long")
    return None if end < 0 else end + len(V1Parser.NEWLINE)


def _v2_end(data: bytes) -> int | None:
    if len(data) < _V2_FIXED:
        return None
    end = _V2_FIXED + int.from_bytes(data[14:_V2_FIXED], "big")
    if end > _V2_LONGEST:
        raise NotProxy("PROXY header too long")
    return end if len(data) >= end else None


def parsed(header: bytes) -> ProxyInfo:
    """What a whole header says; its source is None where the proxy speaks for itself (health checks). Raises NotProxy."""
    if header.startswith(b"PROXY UNKNOWN"):
        # The rest of the line is to be ignored, and may be missing (proxy-protocol.txt section 2.1).
        return ProxyInfo(header, None, None)
    parser = V2Parser if header.startswith(V2Parser.PREFIX) else V1Parser
    try:
        info = parser.parse(header.removesuffix(V1Parser.NEWLINE) if parser is V1Parser else header)
        return ProxyInfo(header, _canonical(info.source), _canonical(info.destination))
    except (InvalidProxyHeader, KeyError, ValueError) as error:
        raise NotProxy("bad PROXY header") from error


def _canonical(address: IAddress | None) -> IAddress | None:
    # The parsers take any text of v1 for an address, and spell those of v2 in full.
    if isinstance(address, IPv4Address | IPv6Address):
        return type(address)("TCP", str(ip_address(address.host)), address.port)
    return address
