"""The octets of a message, brought here once and read as often as needed: small ones in memory, others in a file without a name."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from contextlib import ExitStack
from typing import BinaryIO, cast

IN_MEMORY = 262_144
"""Octets up to which a message needs no file."""

_PIECE = 65_536


class Fetched:
    """Reads all of `source`, which it does not close. Raises what reading raises, and OSError when there is no room."""

    def __init__(self, source: BinaryIO) -> None:
        self._data = first(source, IN_MEMORY + 1)
        self._file: BinaryIO | None = None
        if len(self._data) > IN_MEMORY:
            self._file = _spooled(self._data, source)
            self._data = b""

    def open(self) -> BinaryIO:
        """At the first octet, seekable, with a position of its own. It must not be used after `close`."""
        if self._file is None:
            return io.BytesIO(self._data)
        return cast(BinaryIO, io.BufferedReader(_View(self._file.fileno()), _PIECE))

    def close(self) -> None:
        """Give up the file."""
        if self._file is not None:
            self._file.close()


def first(source: BinaryIO, most: int) -> bytes:
    """The first octets, at most so many."""
    pieces: list[bytes] = []
    while most > 0 and (piece := source.read(min(most, _PIECE))):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def _spooled(begun: bytes, source: BinaryIO) -> BinaryIO:
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile())
        file.write(begun)
        shutil.copyfileobj(source, file, _PIECE)
        file.flush()
        stack.pop_all()
    return cast(BinaryIO, file)


class _View(io.RawIOBase):
    """A file by its descriptor, from the beginning: others may read it at the same time."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        count = os.preadv(self._fd, [buffer], self._at)  # type: ignore[list-item]
        self._at += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence)
        at = offset + (os.fstat(self._fd).st_size if base is None else base)
        if at < 0:
            raise ValueError("a place before the beginning")
        self._at = at
        return at

    def tell(self) -> int:
        return self._at
