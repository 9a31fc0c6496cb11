"""Which steps of a message's plan are done, for the next try: so that nobody gets it twice, not even who has fetched and deleted it."""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable

from sesmail.delivery.inbox import Inbox
from sesmail.delivery.records import FORMAT, stored, unreadable, versioned
from sesmail.errors import MailError, NoSuchMessage, Unavailable

MOST = 20_000
"""Steps that are recorded; a plan with more of them may be done twice in part."""

_NAME = re.compile(r"[a-z]{1,16}-[0-9a-f]{32}")


OWED = 1_000
"""Records that could not be written and are remembered."""


class Progress:
    """The records of an inbox. Thread-safe, as its store is. What cannot be written is remembered here, as long as this lives."""

    def __init__(self, inbox: Inbox) -> None:
        self._store = inbox.store
        self._prefix = inbox.progress
        self._lock = threading.Lock()
        self._owed: OrderedDict[str, frozenset[str]] = OrderedDict()

    def done(self, id: str) -> frozenset[str]:
        """The names of the steps that are done; none where nothing is recorded. Raises Unavailable, also for a record that cannot be
        read: an administrator has to look at it, or remove it."""
        owed = self._owed.get(id, frozenset())
        try:
            return owed | _read(stored(self._store, self._key(id)))
        except NoSuchMessage:
            return owed
        except Unavailable:
            raise
        except MailError as error:
            raise unreadable(self._key(id), error) from None

    def write(self, id: str, names: Iterable[str]) -> None:
        """Record these, and no others; durable on return. Raises Unavailable."""
        done = sorted(names)[:MOST]
        self._owe(id, done)
        self._store.put(self._key(id), json.dumps({"sesmail": FORMAT, "done": done}).encode("ascii"))
        self._settle(id)

    def owes(self, id: str) -> bool:
        """Whether the last record could not be written."""
        return id in self._owed

    def forget(self, id: str) -> None:
        """Remove the record. Raises Unavailable when it may still be there."""
        self._settle(id)
        if left := self._store.delete([self._key(id)]):
            raise Unavailable(cause=left)

    def _owe(self, id: str, done: Iterable[str]) -> None:
        with self._lock:
            self._owed[id] = frozenset(done)
            if len(self._owed) > OWED:
                self._owed.popitem(last=False)

    def _settle(self, id: str) -> None:
        with self._lock:
            self._owed.pop(id, None)

    def _key(self, id: str) -> str:
        return self._prefix + id


def _read(data: bytes) -> frozenset[str]:
    said = versioned(data)
    names = frozenset(part.text() for part in said.member("done").items(MOST))
    for name in names:
        if not _NAME.fullmatch(name):
            said.member("done").wrong("a list of steps")
    return names
