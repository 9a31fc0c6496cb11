"""The message that `sesmail deliver` is given, in CRLF form."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from sesmail.delivery.lineends import with_crlf
from sesmail.errors import Malformed, TooLarge

LARGEST = 1 << 30
"""Octets that no message has, whatever the configuration says."""

_PIECE = 65536
_IN_MEMORY = 1 << 20


def taken(descriptor: int, argument: str | None) -> BinaryIO:
    """The message, from its first octet: what comes from the descriptor where that is a pipe, a file or a socket, else the argument.

    A file without a name holds it when it is long. A last line without an end gets one. Raises Malformed where there is none, TooLarge
    above LARGEST, OSError.
    """
    message = _kept(with_crlf(_read(descriptor))) if _has_message(descriptor) else io.BytesIO()
    if not message.seek(0, os.SEEK_END) and argument is not None:
        message.close()
        message = _kept(with_crlf(iter([os.fsencode(argument)])))
    if not message.seek(0, os.SEEK_END):
        raise Malformed("there is no message")
    message.seek(0)
    return message


def _has_message(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def _read(descriptor: int) -> Iterator[bytes]:
    while piece := os.read(descriptor, _PIECE):
        yield piece


def _kept(pieces: Iterable[bytes]) -> BinaryIO:
    file: BinaryIO = io.BytesIO()
    last = b""
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > LARGEST:
            raise TooLarge
        if size > _IN_MEMORY and isinstance(file, io.BytesIO):
            file = _on_disk(file)
        file.write(piece)
        last = piece[-1:] or last
    if size and last != b"\n":
        file.write(b"\r\n")
    return file


def _on_disk(file: io.BytesIO) -> BinaryIO:
    # Not imported for most messages: the command is to start at once.
    from tempfile import TemporaryFile

    # The process is short, and ends with the file.
    large: BinaryIO = TemporaryFile()  # noqa: SIM115
    large.write(file.getvalue())
    return large
