"""Octets in front of a file, as one file."""

from __future__ import annotations

import io
import os
from typing import BinaryIO, cast


def prefixed(head: bytes, file: BinaryIO) -> BinaryIO:
    """`head` and then what follows in `file` (seekable) from where it stands, without a copy of it: seekable, read only.

    Nothing else may use `file` meanwhile; closing the result leaves it open.
    """
    return cast(BinaryIO, io.BufferedReader(_Prefixed(head, file)))


class _Prefixed(io.RawIOBase):
    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head = head
        self._file = file
        self._start = file.tell()
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        piece = self._head[self._at : self._at + len(view)] or self._file.read(len(view))
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = offset + {os.SEEK_SET: lambda: 0, os.SEEK_CUR: lambda: self._at, os.SEEK_END: self._size}[whence]()
        if at < 0:
            raise ValueError("a place before the beginning")
        self._file.seek(self._start + max(at - len(self._head), 0))
        self._at = at
        return at

    def tell(self) -> int:
        return self._at

    def _size(self) -> int:
        return len(self._head) + self._file.seek(0, os.SEEK_END) - self._start
