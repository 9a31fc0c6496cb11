"""Messages that are kept for the administrator: for whom, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sesmail.delivery.heldrecord import HeldRecord, read_record
from sesmail.delivery.inbox import RECORDS, Inbox, checked_id
from sesmail.delivery.message import Arrival
from sesmail.delivery.plan import Reason
from sesmail.delivery.progress import Progress
from sesmail.delivery.records import stored, unreadable
from sesmail.errors import MailError, NoSuchMessage, Unavailable
from sesmail.log import fate, lists
from sesmail.storage.store import Row, Store


class Keepable(Protocol):
    """A message that can be written under a key; see StoredMessage and FiledMessage."""

    @property
    def arrival(self) -> Arrival: ...

    def put_at(self, store: Store, key: str, recipients: Sequence[str], reasons: Sequence[Reason] = ()) -> bool: ...


@dataclass(frozen=True)
class HeldEntry:
    """One held message. `since` is in seconds since 1970. `record` is None when it is missing or cannot be read; `trouble` says so."""

    id: str
    since: float
    size: int
    record: HeldRecord | None
    trouble: str = ""


class Held:
    """The held messages of an inbox. Thread-safe, as its store is.

    There is a record for each. It is written first and removed last, so a message without one was not put there by us, and a record without
    a message counts for nothing.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._store = inbox.store

    def keep(self, message: Keepable, record: HeldRecord) -> None:
        """Hold the message for these recipients, and for those it is held for already; durable on return. Raises NoSuchMessage when there
        is nothing left to hold, and Unavailable."""
        id = message.arrival.id
        if self._has(id):
            record = record.with_those_of(self.known(id) or record)
        self._store.put(RECORDS + id, record.octets())
        message.put_at(self._store, self.key(id), tuple(record.recipients), record.reasons)
        _tell(id, record)

    def note(self, id: str, record: HeldRecord) -> None:
        """Whom the message is held for is no longer what it was; durable on return. Raises Unavailable."""
        self._store.put(RECORDS + id, record.octets())
        _tell(id, record)

    def record(self, id: str) -> HeldRecord:
        """Raises NoSuchMessage when there is no record, Malformed and TooLarge for one that cannot be read, Unavailable."""
        return read_record(stored(self._store, RECORDS + id))

    def known(self, id: str) -> HeldRecord | None:
        """The record, None where there is none. Raises Unavailable, also for one that cannot be read."""
        try:
            return self.record(id)
        except NoSuchMessage:
            return None
        except Unavailable:
            raise
        except MailError as error:
            # Whom it names must not be forgotten.
            raise unreadable(RECORDS + id, error) from None

    def entries(self) -> Iterator[HeldEntry]:
        """All of them, by id. Raises Unavailable."""
        for row in self._store.list(self._inbox.held, delimiter="/"):
            id = row.key.decode().removeprefix(self._inbox.held)
            if id:
                yield self._entry(id, _since(row), int(row.size))

    def entry(self, id: str) -> HeldEntry:
        """Raises NoSuchMessage, Malformed for what is no id, Unavailable."""
        head = self._store.head(self.key(checked_id(id)))
        return self._entry(id, head.modified, head.size)

    def head(self, id: str, limit: int) -> bytes:
        """The first octets of the message, at most `limit`. Raises as `entry` does, and CannotOpen."""
        with closing(self._inbox.original(self.key(checked_id(id)))) as original:
            return original.beginning(limit)

    def drop(self, id: str) -> None:
        """Remove it for good: nobody it is held for gets it. Raises as `entry` does."""
        entry = self.entry(id)
        self.forget(id)
        Progress(self._inbox).forget(id)
        record = entry.record
        for to in lists(record.recipients if record else ()):
            fate("dropped", id=id, sender=record and record.sender, to=to or None, by="administrator")

    def forget(self, id: str) -> None:
        """Remove message and record. Raises Unavailable when one may still be there."""
        for key in (self.key(id), RECORDS + id):
            if left := self._store.delete([key]):
                raise Unavailable(cause=left)

    def key(self, id: str) -> str:
        """Where the message lies while it is held."""
        return self._inbox.held + id

    def _has(self, id: str) -> bool:
        try:
            self._store.head(self.key(id))
        except NoSuchMessage:
            return False
        return True

    def _entry(self, id: str, since: float, size: int) -> HeldEntry:
        try:
            return HeldEntry(id, since, size, self.record(id))
        except NoSuchMessage:
            return HeldEntry(id, since, size, None, "nothing is written about it")
        except Unavailable:
            raise
        except MailError as error:
            return HeldEntry(id, since, size, None, f"what is written about it cannot be read: {error}")


def _since(row: Row) -> float:
    return datetime.fromisoformat(row.modified.decode("ascii").replace("Z", "+00:00")).timestamp()


def _tell(id: str, record: HeldRecord) -> None:
    for recipient, why in record.recipients.items():
        fate("held", id=id, sender=record.sender, to=recipient, reason=why.reason.value, reply=why.text or None)
    for written in record.unreadable:
        fate("held", id=id, sender=record.sender, to=written, reason=Reason.UNREADABLE.value)
    if not record.recipients and not record.unreadable:
        fate("held", id=id, sender=record.sender, reason=Reason.NOBODY.value)
