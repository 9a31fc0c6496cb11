"""Removes the half-written files of processes that were killed while they wrote."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress

from sesmail.storage.paths import PARTIAL

# A file is written within minutes, however slow the disk.
_ABANDONED = 86_400.0
_REMEMBERED = 10_000


class Sweep:
    """Looks through each folder once a day: in one with 100,000 messages that takes as long as many a write."""

    def __init__(self) -> None:
        self._looked: dict[tuple[bytes, ...], float] = {}

    def look(self, parts: Sequence[bytes], inside: int, now: float) -> None:
        """Remove what was left in this folder a day ago and before; `inside` is its descriptor, `now` Unix time. Raises nothing of
        the file system: others may be faster, and where nothing may be removed, nothing is."""
        name = tuple(parts)
        if now < self._looked.get(name, 0.0) + _ABANDONED:
            return
        if len(self._looked) >= _REMEMBERED:
            self._looked.clear()
        self._looked[name] = now
        with suppress(OSError), os.scandir(inside) as entries:
            for entry in entries:
                if os.fsencode(entry.name).startswith(PARTIAL):
                    _remove(entry, inside, now - _ABANDONED)


def _remove(entry: os.DirEntry[str], inside: int, before: float) -> None:
    with suppress(OSError):
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(status.st_mode) and status.st_mtime < before:
            os.unlink(entry.name, dir_fd=inside)
