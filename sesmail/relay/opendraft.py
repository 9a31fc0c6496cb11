"""A draft while its message still comes in: written by workers, given up by a session that may have lost its patience with them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from sesmail.errors import Unavailable
from sesmail.relay.draft import Draft


class OpenDraft:
    """Begins with its first octets, before which it puts what `first` gives for its id. Blocking and thread-safe."""

    def __init__(self, begin: Callable[[], Draft], first: Callable[[str], bytes]) -> None:
        self._begin = begin
        self._first = first
        self._draft: Draft | None = None
        self._given_up = False
        self._begun = False
        self._committed = False
        self._lock = threading.Lock()
        self.octets = 0

    def write(self, data: bytes) -> None:
        """The next octets. Raises Limited, Unavailable."""
        with self._lock:
            draft, pieces = self._ready(data)
            draft.write(*pieces)

    def commit(self, data: bytes) -> str:
        """The last octets. Returns the id of the message, which is durable. Raises Limited, Unavailable: then nothing of it stays."""
        with self._lock:
            draft, pieces = self._ready(data)
            draft.commit(*pieces)
            self._committed = True
            return draft.id

    def give_up(self) -> bool:
        """Nothing more is written, also by who has been asked to and has not begun. Does not block; returns whether `discard` is
        to be called."""
        self._given_up = True
        return self._begun and not self._committed

    def discard(self) -> None:
        """Nothing stays but what was committed. May be called more than once."""
        with self._lock:
            if self._draft is not None:
                self._draft.discard()

    def _ready(self, data: bytes) -> tuple[Draft, Sequence[bytes]]:
        # In this order, and give_up the other way round: at least one of the two sees what the other does.
        self._begun = True
        if self._given_up:
            raise Unavailable(cause="the client has gone")
        pieces = [data]
        if self._draft is None:
            self._draft = self._begin()
            pieces.insert(0, self._first(self._draft.id))
        self.octets += sum(map(len, pieces))
        return self._draft, pieces
