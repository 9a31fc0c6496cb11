"""A message that lies in the inbox's store: copied there by the store itself, fetched only for whoever needs its octets."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import BinaryIO

from sesmail.delivery.boxes import Boxes, labelled
from sesmail.delivery.fetched import Fetched, first
from sesmail.delivery.message import Arrival
from sesmail.delivery.plan import Reason
from sesmail.errors import Malformed, Refused, Unavailable
from sesmail.interfaces import Place
from sesmail.storage.store import Head, Store

# Mail that SES has sealed says so here (S3 encryption client, versions 1 and 2).
_SEALED = frozenset({"x-amz-key", "x-amz-key-v2"})


class StoredMessage:
    """See Message. To be closed when all is done."""

    def __init__(self, store: Store, key: str, arrival: Arrival, boxes: Boxes) -> None:
        self.arrival = arrival
        self._store = store
        self._key = key
        self._boxes = boxes
        self._head: Head | None = None
        self._fetched: Fetched | None = None

    @property
    def head(self) -> Head:
        """What the store knows of it: asked once. Raises NoSuchMessage, Unavailable."""
        # Not functools.cached_property: before Python 3.12 that lets only one thread at a time in, whatever the object.
        if self._head is None:
            self._head = self._store.head(self._key)
        return self._head

    def look(self) -> None:
        """Raises NoSuchMessage when it is gone, Unavailable."""
        _ = self.head

    def open(self) -> BinaryIO:
        """See Message. Raises Malformed for a sealed one: nobody could read what would be delivered."""
        if self._fetched is None:
            if _SEALED & self.head.metadata.keys():
                raise Malformed("the message is sealed, and can only be delivered to a mailbox in a store")
            try:
                with closing(self._store.open(self._key)) as source:
                    self._fetched = Fetched(source)
            except OSError as error:
                raise Unavailable(cause=error) from error
        return self._fetched.open()

    def fields(self, recipients: Sequence[str]) -> bytes:
        """See Message: SES wrote a Return-Path, and what lies in a store stays as it is."""
        return b""

    def put_into(self, place: Place, folder: str, recipients: Sequence[str]) -> bool:
        """See Message."""
        store, key = self._boxes.spot(place, folder, self.arrival.id)
        return self.put_at(store, key, recipients)

    def put_at(self, store: Store, key: str, recipients: Sequence[str], reasons: Sequence[Reason] = ()) -> bool:
        """As `put_into`, under this key. `reasons`: why it is held there."""
        head = self.head
        metadata = labelled(head.metadata, self.arrival, recipients, reasons)
        out_of = None if store is self._store else self._store
        try:
            there = store.copy(self._key, key, match=head.etag, metadata=metadata, absent=True, out_of=out_of)
        except Refused as error:
            raise Unavailable(cause=f"the original was written anew: {error}") from None
        if there is not None and there.size != head.size:
            raise Unavailable(cause=f"another message lies at {key!r}: it has {there.size} octets, and this one {head.size}")
        return there is None

    def close(self) -> None:
        """Give up what was fetched."""
        if self._fetched is not None:
            self._fetched.close()


def beginning(store: Store, key: str, most: int) -> bytes:
    """The first octets of an object, which is not read to its end. Raises NoSuchMessage, Unavailable."""
    with closing(store.open(key)) as file:
        return first(file, most)
