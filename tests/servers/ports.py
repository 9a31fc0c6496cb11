"""Free TCP ports on 127.0.0.1."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

BEGINS = 90.0
"""Seconds that a server may take to begin on a machine that does much else. Nothing is promised of that: it only has to end."""

# Below Linux's range for outgoing connections: from that one a port can be gone again before its server binds it.
_FIRST, _LAST = 10_000, 32_000
_BLOCK = 100
# Not the common source of chance: property tests seed that one, in every process alike.
_chance = random.SystemRandom()
_claims: list[socket.socket] = []
# How many times longer than a quiet machine a busy one may take.
_PATIENCE = 3


def free_port() -> int:
    """A port that nobody listens on, and that neither this process nor another one that runs these tests is ever given again."""
    return next(_ports)


def free_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]


def _free() -> Iterator[int]:
    while True:
        yield from filter(_is_free, _claimed())


def _claimed() -> range:
    """A block of ports that no other process has claimed; this one keeps it to its end."""
    for first in _chance.sample(range(_FIRST, _LAST, _BLOCK), (_LAST - _FIRST) // _BLOCK):
        # A name without a file, which goes when the process does.
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with suppress(OSError):
            claim.bind(f"\0sesmail-tests-ports-{first}")
            _claims.append(claim)
            return range(first, first + _BLOCK)
        claim.close()
    raise RuntimeError("all ports are taken by processes that run tests")


_ports = _free()


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
    """Poll until `true()`; when that takes a quiet machine more than `seconds`, raises TimeoutError with the text of `what()`."""
    deadline = time.monotonic() + seconds * _PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(what())
        time.sleep(0.02)
