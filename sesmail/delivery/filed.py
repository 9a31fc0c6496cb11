"""A message in a file of this machine, as one of our own doors took it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import BinaryIO

from sesmail.delivery.boxes import Boxes, labelled
from sesmail.delivery.message import Arrival
from sesmail.delivery.plan import Reason
from sesmail.delivery.prefixed import prefixed
from sesmail.errors import Refused
from sesmail.interfaces import Place
from sesmail.mail import delivered
from sesmail.storage.store import Store

SUFFIX = ".eml"
"""How the ids of such messages end."""

_PIECE = 65_536


class FiledMessage:
    """See Message. `file` is seekable, and the message what follows from where it stands; others must leave it alone meanwhile."""

    def __init__(self, file: BinaryIO, arrival: Arrival, boxes: Boxes) -> None:
        self.arrival = arrival
        self._file = file
        self._start = file.tell()
        # Read now: whoever asks for the fields may have begun to read the message.
        self._top = file.read(delivered.TOP)
        file.seek(self._start)
        self._boxes = boxes

    def open(self) -> BinaryIO:
        """See Message. Only one may be open at a time."""
        self._file.seek(self._start)
        return prefixed(b"", self._file)

    def fields(self, recipients: Sequence[str]) -> bytes:
        """See Message: those that the mail server before us has not written."""
        return delivered.fields(self.arrival.sender, recipients, self._top)

    def put_into(self, place: Place, folder: str, recipients: Sequence[str]) -> bool:
        """See Message."""
        store, key = self._boxes.spot(place, folder, self.arrival.id)
        return self.put_at(store, key, recipients)

    def put_at(self, store: Store, key: str, recipients: Sequence[str], reasons: Sequence[Reason] = ()) -> bool:
        """As `put_into`, under this key. `reasons`: why it is held there."""
        fields = self.fields(recipients)
        self._file.seek(self._start)
        whole = prefixed(fields, self._file)
        try:
            store.put(key, whole, absent=True, metadata=labelled({}, self.arrival, recipients, reasons))
        except Refused:
            return False
        return True


def id_of(file: BinaryIO) -> str:
    """What to call a message: its hash (BLAKE2b, 40 hex digits) and SUFFIX, so that it is called the same at every try. The file
    stands where it stood."""
    start = file.tell()
    digest = hashlib.blake2b(digest_size=20)
    while piece := file.read(_PIECE):
        digest.update(piece)
    file.seek(start)
    return digest.hexdigest() + SUFFIX
