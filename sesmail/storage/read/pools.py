"""A pool of connections for each endpoint, shared by all who ask there."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any
from weakref import WeakSet

from OpenSSL import crypto
from twisted.internet import ssl
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint

from sesmail.aws.sessions import Address
from sesmail.storage.read.pool import Pool

KEPT = 256

_Name = tuple[bool, str, int, str | None]


class Pools:
    """`connections` bounds each endpoint. About `kept` pools at most are kept for later; whoever uses one that is not kept any more goes
    on with it. Timeouts are in seconds, of one connection and of one silence."""

    def __init__(
        self, reactor: Any, *, connections: int, connect_timeout: float, read_timeout: float, kept: int = KEPT
    ) -> None:
        self._reactor = reactor
        self._connections = connections
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._kept = kept
        self._pools: OrderedDict[_Name, Pool] = OrderedDict()
        self._all: WeakSet[Pool] = WeakSet()

    def to(self, address: Address) -> Pool:
        """The pool of this address; nothing is connected yet."""
        name = (address.secure, address.host, address.port, address.ca_bundle)
        pool = self._pools.get(name)
        if pool is None:
            endpoint = self._endpoint(address)
            pool = Pool(self._reactor, endpoint, size=self._connections, read_timeout=self._read_timeout)
            self._forget(self._kept - 1)
            self._pools[name] = pool
            self._all.add(pool)
        self._pools.move_to_end(name)
        return pool

    def close(self) -> None:
        """Drop every connection."""
        for pool in tuple(self._all):
            pool.close()

    def _forget(self, kept: int) -> None:
        """Those with connections stay, or a session would be left with connections that nobody shares."""
        if len(self._pools) > kept:
            unused = [name for name, pool in self._pools.items() if pool.unused]
            for name in unused[: len(self._pools) - kept]:
                del self._pools[name]

    def _endpoint(self, address: Address) -> IStreamClientEndpoint:
        endpoint = HostnameEndpoint(self._reactor, address.host, address.port, timeout=self._connect_timeout)
        if not address.secure:
            return endpoint
        trust = ssl.trustRootFromCertificates(_certificates(address.ca_bundle)) if address.ca_bundle else None
        options = ssl.optionsForClientTLS(
            address.host, trustRoot=trust, extraCertificateOptions={"raiseMinimumTo": ssl.TLSVersion.TLSv1_2}
        )
        return wrapClientTLS(options, endpoint)


def _certificates(path: str) -> list[ssl.Certificate]:
    """The certificates of a PEM bundle, which is what AWS_CA_BUNDLE names."""
    end = "-----END CERTIFICATE-----"
    blocks = Path(path).read_text(encoding="ascii", errors="replace").split(end)
    pems = [block[block.index("-----BEGIN CERTIFICATE") :] + end for block in blocks if "-----BEGIN CERTIFICATE" in block]
    return [ssl.Certificate(crypto.load_certificate(crypto.FILETYPE_PEM, pem.encode())) for pem in pems]
