"""Free TCP ports on 127.0.0.1."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable

# Below Linux's range for outgoing connections: from that one a port can be gone again before its server binds it.
_FIRST, _LAST = 10_000, 32_000
_given: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on, and that this process has not been given before."""
    while True:
        port = random.randint(_FIRST, _LAST)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def free_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Whether somebody accepts connections on 127.0.0.1:`port`."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(true: Callable[[], bool], *, seconds: float, what: Callable[[], str]) -> None:
    """Poll until `true()`; after `seconds` raises TimeoutError with the text of `what()`."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(what())
        time.sleep(0.02)
