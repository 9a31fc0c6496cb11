"""The configuration that all workers run by: one, whatever becomes of the file meanwhile."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable
from dataclasses import replace

from sesmail.config.monitoring import Monitor
from sesmail.config.table import Config
from sesmail.errors import Unavailable
from sesmail.service.crew.desk import Handed, Seat
from sesmail.service.crew.line import Line
from sesmail.service.opendoors import only

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Given:
    """See desk.Service: what a worker is given when it begins and when it is told to reload. `edition` counts the changes.

    It lies in memory that nobody can write to any more and that has no name, for it holds secrets.
    """

    def __init__(self, config: Config) -> None:
        self.edition = 0
        self._memory: int | None = None
        self.calls: dict[str, tuple[Callable[..., object], tuple[type, ...]]] = {"config": (self._hand, ())}
        self.give(config)

    def gone(self, seat: Seat) -> None:
        """See desk.Service."""

    def give(self, config: Config) -> None:
        """This one from now on."""
        self.close()
        self.edition += 1
        self._memory = _sealed(pickle.dumps((self.edition, theirs(config))))

    def close(self) -> None:
        """Give nothing more. May be called more than once."""
        if self._memory is not None:
            os.close(self._memory)
            self._memory = None

    def _hand(self, seat: Seat) -> Handed:
        if self._memory is None:
            raise Unavailable(cause="the parent ends")
        return Handed(None, [self._memory])


def theirs(config: Config) -> Config:
    """What of it is for workers: the parent has told its warnings, and it is the parent that monitoring asks."""
    return replace(config, warnings=(), monitor=Monitor())


def ours(config: Config) -> Config:
    """What of its listeners the parent itself serves: those for monitoring."""
    return only(config, lambda option, _: option == "monitor.listeners")


def given(line: Line) -> tuple[int, Config]:
    """Edition and configuration, asked of the parent. Raises Unavailable."""
    with open(line.fetch("config")[0], "rb") as memory:
        # All who have it share one position.
        data = os.pread(memory.fileno(), os.fstat(memory.fileno()).st_size, 0)
    # Only the parent of this process can have written it.
    edition, config = pickle.loads(data)  # noqa: S301
    return edition, config


def _sealed(data: bytes) -> int:
    memory = os.memfd_create("sesmail configuration", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(memory, "wb", closefd=False) as file:
        file.write(data)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
    return memory
