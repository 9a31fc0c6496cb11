"""Files of any size that nobody holds."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, cast

from sesmail.errors import Unavailable


class Made(io.RawIOBase):
    """A file of `size` octets that nobody holds, and how much was read of it at a time at most. It fails at `fails_at`."""

    def __init__(self, size: int, *, seekable: bool = True, fails_at: int | None = None) -> None:
        self._size = size
        self._seekable = seekable
        self._fails_at = size + 1 if fails_at is None else fails_at
        self._at = 0
        self.largest = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._seekable

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        size = self._size if size is None or size < 0 else size
        self.largest = max(self.largest, size)
        if self._at >= self._fails_at:
            raise Unavailable(cause="the other end broke off")
        data = made(self._at, min(size, self._size - self._at))
        self._at += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def file(self) -> BinaryIO:
        return cast(BinaryIO, self)


_PATTERN = bytes(number * number % 251 for number in range(251 * 521))


def made(at: int, size: int) -> bytes:
    """These octets of such a file: no two of its pieces of a round size are alike."""
    start = at % len(_PATTERN)
    return (_PATTERN * ((start + size) // len(_PATTERN) + 1))[start : start + size]
