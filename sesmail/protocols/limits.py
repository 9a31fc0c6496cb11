"""How many connections there may be: in all, and from one address."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from sesmail.peers import source


class Counted(Protocol):
    """See Connections. Never raises."""

    def enter(self, peer: str) -> bool: ...
    def leave(self, peer: str) -> None: ...


class Connections:
    """Counts connections for all listeners and protocols of one service.

    What counts as one address, `peers.source` says. Peers without one (``unix``) count in the total alone: everything behind a
    local proxy would look like one peer.
    """

    def __init__(self, total: int, per_address: int) -> None:
        self.total = total
        self.per_address = per_address
        self._open = 0
        self._by_source: Counter[str] = Counter()

    def enter(self, peer: str) -> bool:
        """Count one more connection from `peer`; False, and nothing counted, when there are enough of them."""
        counted = source(peer)
        if self._open >= self.total or (counted and self._by_source[counted] >= self.per_address):
            return False
        self._open += 1
        if counted:
            self._by_source[counted] += 1
        return True

    def leave(self, peer: str) -> None:
        """Take back what one successful `enter` counted."""
        self._open -= 1
        counted = source(peer)
        if counted:
            self._by_source[counted] -= 1
            if not self._by_source[counted]:
                del self._by_source[counted]
