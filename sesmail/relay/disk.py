"""Folders of files that must survive a crash: one fsync serves all who wait for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path


class _Round:
    """One fsync, and what came of it."""

    def __init__(self) -> None:
        self.done = False
        self.error: OSError | None = None


class Folder:
    """An open folder. Its names are reached through `fd`, wherever the folder may be moved."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._changed = threading.Condition()
        self._next = _Round()
        self._leads = False
        self._owes = False

    def sync(self) -> None:
        """Everything that was done in this folder before the call is durable on return. Raises OSError.

        Callers that come while an fsync runs wait for the one after it, which one of them does for all.
        """
        with self._changed:
            mine = self._next
            while self._leads and not mine.done:
                self._changed.wait()
            if not mine.done:
                self._lead(mine)
        if mine.error is not None:
            raise mine.error

    def _lead(self, mine: _Round) -> None:
        self._leads, self._next, self._owes = True, _Round(), False
        self._changed.release()
        try:
            os.fsync(self.fd)
        except OSError as error:
            mine.error = error
        finally:
            self._changed.acquire()
            self._leads, mine.done = False, True
            self._changed.notify_all()

    def owe(self) -> None:
        """What was done in this folder is to be durable soon: with the next `sync`, or with `settle`."""
        self._owes = True

    def settle(self) -> None:
        """`sync`, if that is owed. Raises OSError."""
        if self._owes:
            self.sync()

    def entries(self) -> Iterator[os.DirEntry[str]]:
        """Everything in it, in no order. Raises OSError."""
        # Not through `fd` itself, whose place in the list all callers would share.
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.fd)
        try:
            with os.scandir(fd) as entries:
                yield from entries
        finally:
            os.close(fd)

    def names(self) -> Iterator[str]:
        """The names in it, in no order. Raises OSError."""
        return (entry.name for entry in self.entries())

    def has(self, name: str) -> bool:
        """Is there anything of that name? Raises OSError."""
        try:
            os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def forget(self, name: str) -> None:
        """Unlink it, if it is there. Not durable by itself. Raises OSError."""
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            return

    def close(self) -> None:
        """Give up the descriptor."""
        os.close(self.fd)
