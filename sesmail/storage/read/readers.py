"""Makes a reader for a store place, and keeps it: readers of one endpoint share its pool of connections."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from weakref import WeakSet

from OpenSSL import crypto
from twisted.internet import ssl
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint

from sesmail.aws.sessions import Address, Clients
from sesmail.interfaces import StorePlace
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.read.directory import DirectoryReader
from sesmail.storage.read.pool import Pool
from sesmail.storage.read.requests import Requests
from sesmail.storage.read.s3 import S3Reader
from sesmail.storage.read.sealedbody import UnsealOf
from sesmail.storage.read.turns import Turns
from sesmail.storage.store import Reader

Run = Callable[..., Awaitable[Any]]

KEPT = 256

_PoolName = tuple[bool, str, int, str | None]


class Readers:
    """The read path of the daemon. `run` calls blocking code in a worker pool; `connections` bounds each endpoint.

    At most `kept` readers, and about as many pools, are kept for later; whoever uses one that is not kept any more goes on with it.
    """

    def __init__(
        self,
        reactor: Any,
        run: Run,
        clients: Clients,
        *,
        connections: int = 64,
        connect_timeout: float = 5,
        read_timeout: float = 30,
        attempts: int = 4,
        kept: int = KEPT,
        unseal: UnsealOf | None = None,
    ) -> None:
        """`unseal`: see S3Reader."""
        self._unseal = unseal
        self._reactor = reactor
        self._run = run
        self._clients = clients
        self._connections = connections
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._attempts = attempts
        self._kept = kept
        self._turns = Turns(reactor)
        self._readers: OrderedDict[StorePlace, Reader] = OrderedDict()
        self._pools: OrderedDict[_PoolName, Pool] = OrderedDict()
        self._all_pools: WeakSet[Pool] = WeakSet()

    def reader(self, place: StorePlace) -> Reader:
        """The reader of this place; nothing is asked of the store yet."""
        reader = self._readers.get(place)
        if reader is None:
            reader = self._readers[place] = self._make(place)
            if len(self._readers) > self._kept:
                self._readers.popitem(last=False)
        self._readers.move_to_end(place)
        return reader

    async def close(self) -> None:
        """Drop every connection."""
        for pool in tuple(self._all_pools):
            pool.close()

    def _make(self, place: StorePlace) -> Reader:
        parts = urlsplit(place.url)
        if parts.scheme == "file":
            return DirectoryReader(DirectoryStore(Path(unquote(parts.path))), self._run)
        requests = Requests(place, self._clients, self._run, self._pool, clock=self._reactor, attempts=self._attempts)
        unseal = None if self._unseal is None else partial(self._unseal, place)
        return S3Reader(requests, self._turns, attempts=self._attempts, unseal=unseal)

    def _pool(self, address: Address) -> Pool:
        name = (address.secure, address.host, address.port, address.ca_bundle)
        pool = self._pools.get(name)
        if pool is None:
            endpoint = self._endpoint(address)
            pool = Pool(self._reactor, endpoint, size=self._connections, read_timeout=self._read_timeout)
            self._forget_pools(self._kept - 1)
            self._pools[name] = pool
            self._all_pools.add(pool)
        self._pools.move_to_end(name)
        return pool

    def _forget_pools(self, kept: int) -> None:
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
