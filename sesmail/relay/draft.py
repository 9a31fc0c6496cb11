"""A message on its way into the spool."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from sesmail.disk import troubles, write_all
from sesmail.errors import Limited, Unavailable
from sesmail.relay.folders import Folders
from sesmail.relay.record import Record

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TRIES = 10


class Told(Protocol):
    """Who wants to know when the message comes in: before anybody can see it, then either when it is there or when it is not."""

    def coming(self, id: str) -> None: ...
    def committed(self, id: str) -> None: ...
    def failed(self, id: str) -> None: ...


class Draft:
    """Blocking, for one thread at a time. It ends with `commit` or with `discard`; any error of the others calls for `discard`."""

    def __init__(self, folders: Folders, record: Record, new_id: Callable[[], str], reserve: int, told: Told) -> None:
        self._folders = folders
        self._record = record
        self._told = told
        self._size = 0
        self._begun = False
        with troubles():
            _check_room(folders, reserve)
            self.id, self._fd = self._created(new_id)

    def _created(self, new_id: Callable[[], str]) -> tuple[str, int]:
        for _ in range(_TRIES):
            id = new_id()
            try:
                fd = os.open(id, _CREATE, 0o600, dir_fd=self._folders.new.fd)
            except FileExistsError:
                continue
            # A gateway that starts meanwhile sweeps away what nobody holds.
            fcntl.flock(fd, fcntl.LOCK_EX)
            # Asked only now, when no other draft can get this id any more.
            if not (self._folders.queue.has(id) or self._folders.held.has(id)):
                return id, fd
            os.close(fd)
            self._folders.new.forget(id)
        raise Unavailable(cause="ids repeat themselves")

    def write(self, *pieces: bytes) -> None:
        """The next octets of the message as it will be sent. Raises Limited, Unavailable."""
        with troubles():
            self._write(*pieces)

    def _write(self, *pieces: bytes) -> None:
        self._size += sum(map(len, pieces))
        if self._begun:
            write_all(self._fd, *pieces)
        else:
            # The first line goes out with the first octets, in one write.
            write_all(self._fd, self._record_of(self._size).line(), *pieces)
        self._begun = True

    def _record_of(self, size: int) -> Record:
        return replace(self._record, progress=replace(self._record.progress, size=size))

    def commit(self, *last: bytes) -> None:
        """The last octets. Durable on return. Raises Limited, Unavailable: then nothing of it stays."""
        try:
            with troubles():
                self._write_last(*last)
                self._told.coming(self.id)
                self._place()
        except BaseException:
            with troubles():
                self._folders.queue.forget(self.id)
            self._told.failed(self.id)
            self.discard()
            raise
        self._close()
        self._told.committed(self.id)

    def _write_last(self, *last: bytes) -> None:
        if not self._begun:
            # All of it comes at once, so that the first line is right already.
            self._write(*last)
            return
        if last:
            self._write(*last)
        line = self._record_of(self._size).progress.line()
        if os.pwrite(self._fd, line, 0) != len(line):
            raise Limited(smtp="452 4.3.1")

    def _place(self) -> None:
        os.fdatasync(self._fd)
        os.rename(self.id, self.id, src_dir_fd=self._folders.new.fd, dst_dir_fd=self._folders.queue.fd)
        self._folders.queue.sync()

    def discard(self) -> None:
        """Nothing of it stays. May be called more than once, and after `commit`, when it does nothing."""
        if self._fd >= 0:
            with troubles():
                self._folders.new.forget(self.id)
                self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)


def _check_room(folders: Folders, reserve: int) -> None:
    """What is here already needs some room to get on, whatever else wants in. Raises Limited."""
    disk = os.fstatvfs(folders.queue.fd)
    if disk.f_bavail * disk.f_frsize < reserve:
        raise Limited("not enough room on the disk, try again later", smtp="452 4.3.1")
