"""One message of the spool in the hands of the one who carries it."""

from __future__ import annotations

import fcntl
import io
import logging
import os
from collections.abc import Callable, MutableMapping
from dataclasses import replace
from typing import BinaryIO, Self, cast

from sesmail.disk import troubles, write_all
from sesmail.errors import Busy, NoSuchMessage
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Verdict
from sesmail.relay.disk import Folder
from sesmail.relay.folders import Folders
from sesmail.relay.record import State, read_record, read_state
from sesmail.relay.schedule import Due

log = logging.getLogger(__name__)

# Behind the name of a state that is being written.
PARTIAL = ".new"

_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_locked(folder: Folder, id: str) -> BinaryIO:
    """The file, locked against other processes until it is closed. Raises Busy, NoSuchMessage, and OSError otherwise."""
    try:
        fd = os.open(id, _OPEN, dir_fd=folder.fd)
    except FileNotFoundError:
        raise NoSuchMessage from None
    file = os.fdopen(fd, "rb")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had the lock before may have removed or moved the file.
        if not os.path.samestat(os.fstat(fd), os.stat(id, dir_fd=folder.fd, follow_symlinks=False)):
            raise NoSuchMessage
    except BaseException as error:
        file.close()
        if isinstance(error, BlockingIOError):
            raise Busy("another process has the message in its hands") from None
        if isinstance(error, FileNotFoundError):
            raise NoSuchMessage from None
        raise
    return file


def load_state(folder: Folder, id: str) -> State | None:
    """The stored state, None when there is none. Raises Malformed, OSError."""
    try:
        fd = os.open(id, _READ, dir_fd=folder.fd)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        return read_state(file)


class Message:
    """A locked message. Blocking, for one thread at a time; `close` gives it back: `closed` is called then, which
    also closes the file.

    `state` is the caller's to change; `keep`, `leave` and `hold` make the change last. `in_doubt`: an attempt began and its end was
    never recorded, so the message may have been sent.
    """

    def __init__(
        self,
        id: str,
        file: BinaryIO,
        folders: Folders,
        schedule: Due,
        unwritten: MutableMapping[str, State],
        *,
        begun: bool,
        closed: Callable[[], None],
    ) -> None:
        self.id = id
        self._file = file
        self._folders = folders
        self._schedule = schedule
        self._unwritten = unwritten
        self._closed = closed
        self._open = True
        self.record, self._start = read_record(file, os.fstat(file.fileno()).st_size)
        stored = load_state(folders.state, id)
        self._has_state = stored is not None
        # Another process may have made the attempt that was promised.
        self._begun = begun = begun and self.record.progress.attempt == 1 and stored is None
        self.state = unwritten.get(id) or stored or State()
        self.in_doubt = not begun and self.record.progress.attempt > self.state.ended

    @property
    def envelope(self) -> Envelope:
        """Its envelope, with all recipients it ever had."""
        return self.record.envelope

    def pending(self) -> tuple[str, ...]:
        """The recipients who neither got it nor were refused."""
        settled = {*self.state.with_verdict(Verdict.ACCEPTED), *self.state.with_verdict(Verdict.REFUSED)}
        return tuple(recipient for recipient in self.envelope.recipients if recipient not in settled)

    def body(self) -> BinaryIO:
        """The message, at its first octet. Valid until `close`."""
        return cast(BinaryIO, io.BufferedReader(_Behind(self._file.fileno(), self._start, self.record.progress.size)))

    def head(self, limit: int) -> bytes:
        """The first octets of the message."""
        return os.pread(self._file.fileno(), min(limit, self.record.progress.size), self._start)

    def begin(self, now: float) -> None:
        """Record that an attempt begins; durable on return. Needs no room on the disk. Raises Limited, Unavailable."""
        if self._begun:
            # The record was written together with the message.
            self._begun = False
            return
        progress = replace(self.record.progress, attempt=self.record.progress.attempt + 1, begun=int(now))
        with troubles():
            os.pwrite(self._file.fileno(), progress.line(), 0)
            os.fdatasync(self._file.fileno())
        self.record = replace(self.record, progress=progress)

    def keep(self, due: float) -> bool:
        """It stays; what is known of it is durable on return. False when that fails: then it is kept in memory."""
        self.state.ended = self.record.progress.attempt
        self._schedule.put(self.id, due)
        try:
            self._write_state(due)
        except OSError as error:
            log.error("message %s: its state cannot be written and is kept in memory: %s", self.id, error)
            self._unwritten[self.id] = self.state
            return False
        self._unwritten.pop(self.id, None)
        return True

    def _write_state(self, due: float) -> None:
        folder, partial = self._folders.state, self.id + PARTIAL
        try:
            fd = os.open(partial, _WRITE, 0o600, dir_fd=folder.fd)
            try:
                write_all(fd, self.state.octets())
                os.utime(fd, (due, due))
                os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(partial, self.id, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
        except OSError:
            folder.forget(partial)
            raise
        self._has_state = True
        folder.sync()

    def leave(self, *, durably: bool) -> bool:
        """It leaves the spool: durably on return, or when somebody calls `Spool.settle`.

        False when that fails: then it is still there.
        """
        try:
            os.unlink(self.id, dir_fd=self._folders.queue.fd)
        except OSError as error:
            log.error("message %s cannot be removed: %s", self.id, error)
            return False
        self._schedule.drop(self.id)
        self._unwritten.pop(self.id, None)
        self._folders.queue.owe()
        if durably or self._has_state:
            self._sync_removal()
        return True

    def _sync_removal(self) -> None:
        try:
            self._folders.queue.sync()
            # Only now: a message that came back without its state would be sent to everybody again.
            if self._has_state:
                self._folders.state.forget(self.id)
        except OSError as error:
            log.error("message %s may come back when the machine fails now: %s", self.id, error)

    def hold(self) -> None:
        """It waits for the admin, durably on return. `keep` comes before, else an attempt is in doubt. Raises Limited, Unavailable."""
        with troubles():
            os.rename(self.id, self.id, src_dir_fd=self._folders.queue.fd, dst_dir_fd=self._folders.held.fd)
            self._schedule.drop(self.id)
            self._folders.sync(self._folders.held, self._folders.queue)

    def close(self) -> None:
        """Let go of it. May be called more than once."""
        if self._open:
            self._open = False
            self._closed()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Behind(io.RawIOBase):
    """The part of a file that begins at `start`, as if it were the whole. Its place in it is its own."""

    def __init__(self, fd: int, start: int, size: int) -> None:
        self._fd, self._start, self._size, self._at = fd, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        if self._at >= self._size:
            return 0
        count = os.preadv(self._fd, [memoryview(buffer)], self._start + self._at)  # type: ignore[arg-type]
        self._at += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise ValueError("a place before the beginning")
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        return self._at
