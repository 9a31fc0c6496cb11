"""A sealed message on the read path: fetched whole, opened, checked, and only then given."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

from sesmail.errors import MailError, Unavailable
from sesmail.interfaces import Body
from sesmail.storage.sealedform import ALL, MARKS, TAG, Envelope, envelope

_log = logging.getLogger(__name__)

Unseal = Callable[[Envelope, list[bytes]], Awaitable[list[bytes]]]
"""`Unsealed.pieces` of the store."""

_PREFIX = "x-amz-meta-"
_NAMES = {(_PREFIX + name).encode(): name for name in ALL}
_MARKS = frozenset((_PREFIX + name).encode() for name in MARKS)


class SealedBody:
    """See interfaces.Body. Nothing is fetched before `load` or the first `read`; `claims` octets are in memory from then on, and about
    twice as many while it is opened, if it is small."""

    whole = False

    def __init__(self, key: str, sealed: Body, found: Envelope, unseal: Unseal) -> None:
        self.claims = sealed.size
        self.size = max(0, sealed.size - TAG)
        self._key = key
        self._sealed = sealed
        self._envelope = found
        self._unseal = unseal
        self._plain: deque[bytes] | None = None
        self._closed = False

    async def load(self) -> None:
        """Fetch and open it. Raises Unavailable, CannotOpen: then there is nothing of it, and the log says why."""
        if self._plain is not None:
            return
        try:
            self._plain = deque(await self._unseal(self._envelope, await self._fetched()))
        except MailError as error:
            stays_sealed(self._key, error)
            raise
        finally:
            self._sealed.close()
        self.whole = len(self._plain) == 1

    async def read(self) -> bytes:
        """See Body.read."""
        if self._closed:
            raise Unavailable(cause="closed")
        await self.load()
        return self._plain.popleft() if self._plain else b""

    def close(self) -> None:
        """See Body.close."""
        self._closed = True
        self._sealed.close()
        self._plain = deque()

    async def _fetched(self) -> list[bytes]:
        pieces = []
        while piece := await self._sealed.read():
            pieces.append(piece)
        return pieces


def envelope_in(headers: Mapping[bytes, bytes]) -> Envelope | None:
    """What the headers of an answer (names in lower case) say about a sealed object; None for any other. Raises CannotOpen."""
    if _MARKS.isdisjoint(headers):
        return None
    return envelope({name: headers[header].decode("utf-8", "replace") for header, name in _NAMES.items() if header in headers})


def stays_sealed(key: str, error: MailError) -> None:
    """For the administrator, who alone can do something about it."""
    _log.warning("the message %r stays sealed: %s", key[:1100], error)
