"""What an admin may see of a spool and do to it, beside a gateway that uses it or without one.

Seeing takes no lock. Doing takes the message's own lock, so that nothing is done to a message that is being sent; the gateway finds
out when it comes to the message, and sooner where a wish tells it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sesmail.disk import troubles
from sesmail.errors import Malformed, NoSuchMessage
from sesmail.relay.disk import Folder
from sesmail.relay.folders import Folders
from sesmail.relay.message import load_state, open_locked
from sesmail.relay.record import Record, State, is_id, read_record

HEADER_OCTETS = 64 * 1024


@dataclass(frozen=True)
class Entry:
    """One message as it lies there. `record` is None when it cannot be read, and `trouble` says why; `due` is when it is tried
    next, None for one that is held."""

    id: str
    held: bool
    record: Record | None
    state: State
    due: float | None
    trouble: str | None = None


class Upkeep:
    """Raises Unavailable when there is no spool, Malformed for what is no id, NoSuchMessage, and Busy for one that is being sent."""

    def __init__(self, root: Path) -> None:
        self._folders = Folders(root, make=False)

    def close(self) -> None:
        """Give up what is open."""
        self._folders.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ids(self) -> list[str]:
        """Every message, in the order of the ids."""
        with troubles():
            names = {*self._folders.queue.names(), *self._folders.held.names()}
        return sorted(name for name in names if is_id(name))

    def entries(self) -> Iterator[Entry]:
        """Every message that is still there when its turn comes."""
        for id in self.ids():
            try:
                yield self.entry(id)
            except NoSuchMessage:
                continue

    def entry(self, id: str) -> Entry:
        """One message."""
        folder, held = self._where(id)
        try:
            record, _ = self._read(folder, id)
            state = load_state(self._folders.state, id) or State()
        except Malformed as error:
            return Entry(id, held, None, State(), None, error.public)
        except FileNotFoundError:
            raise NoSuchMessage from None
        except OSError as error:
            return Entry(id, held, None, State(), None, error.strerror)
        return Entry(id, held, record, state, None if held else self._due(id, record))

    def header(self, id: str) -> bytes:
        """The first octets of the message, which hold its header."""
        folder, _ = self._where(id)
        with troubles():
            return self._read(folder, id)[1]

    def retry(self, id: str) -> None:
        """Have it tried now, also if it was held."""
        _, held = self._where(id)
        if held:
            self._bring_back(id)
        with troubles():
            os.close(
                os.open(id, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._folders.wishes.fd)
            )

    def hold(self, id: str) -> None:
        """Set it aside until `retry`; durable on return."""
        folder, held = self._where(id)
        if not held:
            with _locked(folder, id):
                self._move(id, folder, self._folders.held)

    def remove(self, id: str) -> None:
        """It is gone for ever, and nobody is told; durable on return."""
        folder, _ = self._where(id)
        with _locked(folder, id):
            os.unlink(id, dir_fd=folder.fd)
            folder.sync()
            self._folders.state.forget(id)

    def _bring_back(self, id: str) -> None:
        entry = self.entry(id)
        if entry.record is None:
            raise Malformed(f"the message cannot be read: {entry.trouble}")
        with _locked(self._folders.held, id):
            if self._folders.state.has(id):
                os.utime(id, (entry.state.at, entry.state.at), dir_fd=self._folders.state.fd)
            self._move(id, self._folders.held, self._folders.queue)

    def _move(self, id: str, old: Folder, new: Folder) -> None:
        os.rename(id, id, src_dir_fd=old.fd, dst_dir_fd=new.fd)
        self._folders.sync(new, old)

    def _where(self, id: str) -> tuple[Folder, bool]:
        if not is_id(id):
            raise Malformed("that is no id of a message; `sesmail queue list` shows them")
        with troubles():
            if self._folders.queue.has(id):
                return self._folders.queue, False
            if self._folders.held.has(id):
                return self._folders.held, True
        raise NoSuchMessage("there is no such message, or no more")

    def _read(self, folder: Folder, id: str) -> tuple[Record, bytes]:
        fd = os.open(id, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder.fd)
        with os.fdopen(fd, "rb") as file:
            record, start = read_record(file, os.fstat(fd).st_size)
            return record, os.pread(fd, HEADER_OCTETS, start)

    def _due(self, id: str, record: Record) -> float:
        try:
            return os.stat(id, dir_fd=self._folders.state.fd, follow_symlinks=False).st_mtime
        except FileNotFoundError:
            return record.arrived


@contextmanager
def _locked(folder: Folder, id: str) -> Iterator[None]:
    with troubles(), open_locked(folder, id):
        yield
