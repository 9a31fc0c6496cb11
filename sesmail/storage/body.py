"""A message that is in memory already."""

from __future__ import annotations


class MemoryBody:
    """A message that is whole in memory."""

    whole = True

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = data

    async def read(self) -> bytes:
        """See Body.read."""
        data, self._data = self._data, b""
        return data

    def close(self) -> None:
        """See Body.close."""
        self._data = b""
