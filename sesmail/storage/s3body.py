"""Octets to and from S3 as files."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from sesmail.storage.s3errors import troubles

_PIECE = 64 * 1024
_IN_MEMORY = 1 << 20


class _Arriving(io.RawIOBase):
    """The body of an answer. A read raises Unavailable when it breaks off."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with troubles():
            piece: bytes = self._body.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._body.close()
        super().close()


def opened(body: Any) -> BinaryIO:
    """A StreamingBody of botocore as a file: a read gives as much as was asked for, unless it is the end."""
    return io.BufferedReader(_Arriving(body), _PIECE)


@contextmanager
def rewindable(data: bytes | BinaryIO) -> Iterator[bytes | BinaryIO]:
    """The same octets as something that can be sent more than once.

    botocore reads a body twice, to sign and to send it, and goes back to its very first octet before it sends it again.
    """
    if isinstance(data, bytes) or (data.seekable() and not data.tell()):
        yield data
    else:
        with SpooledTemporaryFile(_IN_MEMORY) as spooled:
            file = cast(BinaryIO, spooled)
            shutil.copyfileobj(data, file, _PIECE)
            file.seek(0)
            yield file
