"""Where in which store a message goes, and the metadata that tells there what the message itself does not say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from sesmail.delivery.inbox import Inbox
from sesmail.delivery.message import Arrival
from sesmail.delivery.plan import Reason
from sesmail.errors import NoSuchMailbox, Unavailable
from sesmail.interfaces import NO_STORE, Place, StorePlace
from sesmail.storage.keys import PASSWD, message_key
from sesmail.storage.metadata import merged
from sesmail.storage.store import Store

StoreOf: TypeAlias = Callable[[StorePlace], Store]
"""The store of a place: the same object at every call, and for the inbox's place the inbox's own. Raises Unavailable."""

_OURS = frozenset({"sesmail-sender", "sesmail-recipient", "sesmail-received", "sesmail-reason"})
_LATEST = 253_402_300_799.0


class Boxes:
    """The mailboxes of all stores. Thread-safe, as `store_of` is."""

    def __init__(self, inbox: Inbox, store_of: StoreOf) -> None:
        self._inbox = inbox
        self._store_of = store_of

    def spot(self, place: Place, folder: str, id: str) -> tuple[Store, str]:
        """Store and key of a message in a mailbox. Raises NoSuchMailbox where there can be none, Malformed for what is no id, Unavailable
        also where a mailbox lies in the way of incoming mail: its copies would be taken for new messages, for ever."""
        if place.store.url == NO_STORE or place.store.url.startswith("demo:"):
            raise NoSuchMailbox(cause="an account without a mailbox")
        if PASSWD.decode() in place.prefix.split("/"):
            # In a directory it would stand in the place of the passwords.
            raise NoSuchMailbox(cause=f"a mailbox called {PASSWD.decode()}")
        key = message_key(place.prefix, folder, id)
        store = self._store_of(place.store)
        if store is self._inbox.store and self._inbox.is_ours(key):
            raise Unavailable(cause=f"a mailbox lies where mail comes in or waits: {place.prefix!r}")
        return store, key


def labelled(
    old: Mapping[str, str], arrival: Arrival, recipients: Sequence[str], reasons: Sequence[Reason] = ()
) -> dict[str, str]:
    """The metadata of a copy for these recipients: all that the original has, but for what another copy of ours said, and what is known of
    the message. `reasons`: why it is held."""
    kept = {name: value for name, value in old.items() if name not in _OURS}
    ours = [
        ("sesmail-sender", arrival.sender or "<>"),
        ("sesmail-recipient", ", ".join(recipients)),
        ("sesmail-received", _moment(arrival.received)),
        ("sesmail-reason", ", ".join(dict.fromkeys(reason.value for reason in reasons))),
    ]
    return merged(kept, [(name, value) for name, value in ours if value])


def _moment(received: float) -> str:
    return datetime.fromtimestamp(min(max(received, 0.0), _LATEST), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
