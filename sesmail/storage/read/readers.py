"""Makes a reader for a store place, and keeps it: readers of one endpoint share its pool of connections."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sesmail.aws.sessions import Clients
from sesmail.interfaces import StorePlace
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.read.directory import DirectoryReader
from sesmail.storage.read.pools import KEPT, Pools
from sesmail.storage.read.requests import Requests
from sesmail.storage.read.s3 import S3Reader
from sesmail.storage.read.turns import Turns
from sesmail.storage.read.unsealed import Unsealed
from sesmail.storage.store import Reader

Run = Callable[..., Awaitable[Any]]


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
        unsealed: Unsealed | None = None,
    ) -> None:
        """`unsealed` opens sealed messages; without it all are given as they lie there."""
        self._unsealed = unsealed
        self._reactor = reactor
        self._run = run
        self._clients = clients
        self._attempts = attempts
        self._kept = kept
        self._turns = Turns(reactor)
        self._readers: OrderedDict[StorePlace, Reader] = OrderedDict()
        self._pools = Pools(
            reactor, connections=connections, connect_timeout=connect_timeout, read_timeout=read_timeout, kept=kept
        )

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
        self._pools.close()
        if self._unsealed is not None:
            self._unsealed.close()

    def _make(self, place: StorePlace) -> Reader:
        parts = urlsplit(place.url)
        if parts.scheme == "file":
            return DirectoryReader(DirectoryStore(Path(unquote(parts.path))), self._run)
        requests = Requests(place, self._clients, self._run, self._pools.to, clock=self._reactor, attempts=self._attempts)
        unseal = None if self._unsealed is None else partial(self._unsealed.pieces, place)
        return S3Reader(requests, self._turns, attempts=self._attempts, unseal=unseal)
