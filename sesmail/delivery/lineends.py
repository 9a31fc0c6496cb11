"""The line ends of a message, in pieces of any size: how it was cut never shows. A CR that stands alone stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

_PIECE = 65536


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """What is left of a file."""
    while piece := file.read(_PIECE):
        yield piece


def with_lf(octets: Iterator[bytes]) -> Iterator[bytes]:
    """LF for CRLF."""
    held = b""
    for piece in octets:
        # The LF of a CR at the end may be in the next piece.
        data = held + piece
        held = b"\r" if data.endswith(b"\r") else b""
        yield data[: len(data) - len(held)].replace(b"\r\n", b"\n")
    yield held


def with_crlf(octets: Iterator[bytes]) -> Iterator[bytes]:
    """CRLF for an LF that stands alone, too."""
    for piece in with_lf(octets):
        yield piece.replace(b"\n", b"\r\n")
