"""How the sealed mail of one store is opened: by the keys of whoever reads that store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from sesmail.interfaces import StorePlace
from sesmail.storage.datakeys import DataKeys
from sesmail.storage.sealed import Opening, opened, whole
from sesmail.storage.sealedform import CannotOpen, Cipher, Envelope, envelope

_JOINED = 1 << 20


class Unsealing:
    """Plain blocking code, thread-safe. `cbc`: also what was sealed without anything that would show a change."""

    def __init__(self, place: StorePlace, keys: DataKeys, *, cbc: bool = False) -> None:
        self._place = place
        self._keys = keys
        self._cbc = cbc

    def opened(self, metadata: Mapping[str, str], source: BinaryIO) -> BinaryIO:
        """See `sealed.opened`. Raises CannotOpen, Unavailable."""
        found = allowed(envelope(metadata), cbc=self._cbc)
        return opened(source, Opening(found, self._keys.key(self._place, found.wrapped, found.context)))


def allowed(found: Envelope, *, cbc: bool) -> Envelope:
    """The envelope. Raises CannotOpen for one of CBC, unless that is allowed."""
    if found.cipher is Cipher.CBC and not cbc:
        raise CannotOpen(cause=f"{found.cipher.value}, which sealed.cbc does not allow")
    return found


def in_pieces(found: Envelope, key: bytes, sealed: list[bytes]) -> list[bytes]:
    """A message that is in memory, checked to its last octet; a small one in one piece. `sealed` is empty then, so that there is not much
    more than one large message in memory at any time. Raises CannotOpen."""
    if sum(map(len, sealed)) <= _JOINED:
        data = b"".join(sealed)
        sealed.clear()
        return [whole(found, key, data)]
    opening = Opening(found, key)
    sealed.reverse()
    plain = []
    while sealed:
        plain.append(opening.feed(sealed.pop()))
    plain.append(opening.finish())
    return [piece for piece in plain if piece]
