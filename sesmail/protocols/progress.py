"""What the peer of a connection has really received, as the kernel knows it.

A transport only says when its own buffer is empty. On a slow line that can take minutes during which octets move all the time.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

# struct tcp_info of Linux: tcpi_unacked, tcpi_bytes_acked, tcpi_notsent_bytes.
_TCP_INFO = struct.Struct("=24xI92xQ16xI")


class Moved(NamedTuple):
    """`octets` the peer has acknowledged since it connected; `outstanding`: the kernel still holds some that it has not."""

    octets: int
    outstanding: bool


def moved(transport: object) -> Moved | None:
    """How far the peer is; None where nobody can tell (no TCP socket, another system, an old kernel)."""
    connection = getattr(transport, "socket", None)
    if not isinstance(connection, socket.socket) or not hasattr(socket, "TCP_INFO"):
        return None
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    except OSError:
        return None
    if len(info) < _TCP_INFO.size:
        return None
    waiting, acknowledged, unsent = _TCP_INFO.unpack(info)
    return Moved(acknowledged, bool(waiting or unsent))


def acknowledge_at_once(transport: object) -> None:
    """Let the kernel acknowledge what comes from now on without delay, until we send something ourselves.

    A client with Nagle's algorithm keeps back the end of a message until the rest is acknowledged, and a kernel that has just
    answered one command takes up to 40 ms for that. Does nothing where it cannot be asked for.
    """
    connection = getattr(transport, "socket", None)
    if isinstance(connection, socket.socket) and hasattr(socket, "TCP_QUICKACK") and connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
