"""That no two threads of this process are at one message, and what this process remembers of those that it has seen."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sesmail.errors import Busy

MOST = 10_000


class Claims:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[str] = set()
        self._failed: OrderedDict[str, None] = OrderedDict()

    @contextmanager
    def of(self, id: str) -> Iterator[bool]:
        """The message is ours until the end of this. Gives whether the last try of it here has failed, as far back as is remembered.
        Raises Busy while another thread has it."""
        with self._lock:
            if id in self._taken:
                raise Busy("another thread has this message at the moment")
            self._taken.add(id)
            again = id in self._failed
        failed = True
        try:
            yield again
            failed = False
        finally:
            self._release(id, failed=failed)

    def _release(self, id: str, *, failed: bool) -> None:
        with self._lock:
            self._taken.discard(id)
            self._failed.pop(id, None)
            if failed:
                self._failed[id] = None
            if len(self._failed) > MOST:
                self._failed.popitem(last=False)


class Served:
    """For whom the last MOST messages were. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._people: OrderedDict[str, frozenset[str]] = OrderedDict()

    def add(self, id: str, recipients: Sequence[str]) -> None:
        """These are served."""
        with self._lock:
            self._people[id] = self._people.pop(id, frozenset()) | frozenset(recipients)
            if len(self._people) > MOST:
                self._people.popitem(last=False)

    def missing(self, id: str, recipients: Sequence[str]) -> Sequence[str]:
        """Who of these was not among those who were served; nobody where nothing is known of the message."""
        with self._lock:
            people = self._people.get(id)
        return [] if people is None else [person for person in recipients if person not in people]
