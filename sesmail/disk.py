"""What the disk says in terms of ours, and octets that are written to their end."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sesmail.errors import Limited, Unavailable

# None of these goes away by itself, but an administrator can make room.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def troubles() -> Iterator[None]:
    """Turn what the operating system says into Limited (``452 4.3.1``: no room) and Unavailable (anything else)."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise Limited("not enough room on the disk, try again later", cause=error, smtp="452 4.3.1") from error
        raise Unavailable(cause=error) from error


def write_all(fd: int, *pieces: bytes) -> None:
    """Write everything, in one call if that can be: a single one may stop where the disk is full. Raises OSError."""
    done = os.writev(fd, pieces)
    for piece in pieces:
        view = memoryview(piece)[done:]
        done = max(0, done - len(piece))
        while view:
            view = view[os.write(fd, view) :]
