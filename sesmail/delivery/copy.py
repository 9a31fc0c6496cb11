"""A message that lies in the inbox's store: copied there by the store itself, fetched only for whoever needs its octets."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import BinaryIO

from sesmail.delivery.boxes import Boxes, labelled
from sesmail.delivery.message import Arrival
from sesmail.delivery.original import Original
from sesmail.delivery.plan import Reason
from sesmail.errors import Refused, Unavailable
from sesmail.interfaces import Place
from sesmail.storage.sealedform import ALL
from sesmail.storage.store import Store


class StoredMessage:
    """See Message. Whoever made `original` closes it when all is done."""

    def __init__(self, original: Original, arrival: Arrival, boxes: Boxes) -> None:
        self.arrival = arrival
        self._original = original
        self._boxes = boxes

    def look(self) -> None:
        """Raises NoSuchMessage when it is gone, Unavailable."""
        _ = self._original.head

    def open(self) -> BinaryIO:
        """See Message. Raises CannotOpen for a sealed one that nobody here could read."""
        return self._original.open()

    def fields(self, recipients: Sequence[str]) -> bytes:
        """See Message: SES wrote a Return-Path, and what lies in a store stays as it is."""
        return b""

    def put_into(self, place: Place, folder: str, recipients: Sequence[str]) -> bool:
        """See Message."""
        store, key = self._boxes.spot(place, folder, self.arrival.id)
        return self.put_at(store, key, recipients)

    def put_at(self, store: Store, key: str, recipients: Sequence[str], reasons: Sequence[Reason] = ()) -> bool:
        """As `put_into`, under this key. `reasons`: why it is held there."""
        original = self._original
        if original.is_sealed and store is not original.store and not store.keeps_metadata:
            return self._put_opened(store, key, recipients, reasons)
        head = original.head
        metadata = labelled(head.metadata, self.arrival, recipients, reasons)
        out_of = None if store is original.store else original.store
        try:
            there = store.copy(original.key, key, match=head.etag, metadata=metadata, absent=True, out_of=out_of)
        except Refused as error:
            raise Unavailable(cause=f"the original was written anew: {error}") from None
        if there is not None and there.size != head.size:
            raise Unavailable(cause=f"another message lies at {key!r}: it has {there.size} octets, and this one {head.size}")
        return there is None

    def _put_opened(self, store: Store, key: str, recipients: Sequence[str], reasons: Sequence[Reason]) -> bool:
        """Where the envelope could get lost, nobody could ever read what was in it."""
        kept = {name: value for name, value in self._original.head.metadata.items() if name not in ALL}
        with closing(self.open()) as file:
            try:
                store.put(key, file, absent=True, metadata=labelled(kept, self.arrival, recipients, reasons))
            except Refused:
                return False
        return True
