"""Sealed messages of all stores, opened: small ones at once, for that takes less than to hand them to a worker, larger ones there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sesmail.interfaces import StorePlace
from sesmail.storage.datakeys import DataKeys
from sesmail.storage.read.unwrapping import Unwrapping
from sesmail.storage.sealedform import Envelope
from sesmail.storage.unsealing import allowed, in_pieces

Run = Callable[..., Awaitable[Any]]

AT_ONCE = 262_144
"""Octets of a message that holds the reactor for a tenth of a millisecond."""


class Unsealed:
    """`keys` remembers what `unwrapping` asks KMS for; `run` calls in a worker what takes long. `cbc`: see Unsealing."""

    def __init__(self, unwrapping: Unwrapping, keys: DataKeys, run: Run, *, cbc: bool = False) -> None:
        self._unwrapping = unwrapping
        self._keys = keys
        self._run = run
        self._cbc = cbc

    async def pieces(self, place: StorePlace, found: Envelope, sealed: list[bytes]) -> list[bytes]:
        """See `in_pieces`. Raises CannotOpen, Unavailable."""
        allowed(found, cbc=self._cbc)
        key = await self._key(place, found)
        if sum(map(len, sealed)) <= AT_ONCE:
            return in_pieces(found, key, sealed)
        pieces: list[bytes] = await self._run(in_pieces, found, key, sealed)
        return pieces

    def close(self) -> None:
        """Drop every connection to KMS."""
        self._unwrapping.close()

    async def _key(self, place: StorePlace, found: Envelope) -> bytes:
        name = self._keys.name(place, found.wrapped, found.context)
        key = self._keys.known(name)
        if key is None:
            key = await self._unwrapping.key(place, found.wrapped, found.context)
            self._keys.keep(name, key)
        return key
