"""How much is asked of a connection's socket at a time.

Twisted asks for 64 KiB, and OpenSSL keeps a buffer as large as the largest read as long as the connection lives. Less is a turn of
the reactor for each 8 KiB. So only some connections read much.
"""

from __future__ import annotations

from typing import Any

LITTLE = 8 * 1024
MUCH = 64 * 1024
# Of one listener: a mebibyte of buffers.
MOST = 16


class Reading:
    """The connections of one listener. The first MOST of those that need it read much, until each ends."""

    def __init__(self) -> None:
        self._much: set[object] = set()

    def little(self, transport: Any) -> None:
        """How every connection begins."""
        _lowest(transport).bufferSize = LITTLE

    def much(self, transport: Any) -> None:
        """A message comes in that is not small."""
        if len(self._much) < MOST and transport not in self._much:
            self._much.add(transport)
            _lowest(transport).bufferSize = MUCH

    def end(self, transport: Any) -> None:
        """The connection is over, and its buffer with it."""
        self._much.discard(transport)


def _lowest(transport: Any) -> Any:
    while (below := getattr(transport, "transport", None)) is not None:
        transport = below
    return transport
