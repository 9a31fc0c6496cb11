"""How many connections there may be: in all, and from one address."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv6Address, ip_address, ip_network


class Connections:
    """Counts connections for all listeners and protocols of one service.

    An IPv6 peer is counted with its whole /64, which is what one customer gets. Peers without an address (``unix``) count in
    the total alone: everything behind a local proxy would look like one peer.
    """

    def __init__(self, total: int, per_address: int) -> None:
        self.total = total
        self.per_address = per_address
        self._open = 0
        self._by_source: Counter[str] = Counter()

    def enter(self, peer: str) -> bool:
        """Count one more connection from `peer`; False, and nothing counted, when there are enough of them."""
        source = _source(peer)
        if self._open >= self.total or (source and self._by_source[source] >= self.per_address):
            return False
        self._open += 1
        if source:
            self._by_source[source] += 1
        return True

    def leave(self, peer: str) -> None:
        """Take back what one successful `enter` counted."""
        self._open -= 1
        source = _source(peer)
        if source:
            self._by_source[source] -= 1
            if not self._by_source[source]:
                del self._by_source[source]


def _source(peer: str) -> str:
    try:
        address = ip_address(peer)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        return str(ip_network((address.packed, 64), strict=False))
    return peer
