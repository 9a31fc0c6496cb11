"""That no two threads of this process are at one message, and which messages were tried here in vain."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from sesmail.errors import Busy

MOST_FAILED = 10_000


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
            if len(self._failed) > MOST_FAILED:
                self._failed.popitem(last=False)
