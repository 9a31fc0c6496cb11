"""Delivery into a Maildir (https://cr.yp.to/proto/maildir.html), the same message at most once however often it is tried.

The owner of a Maildir is not trusted, for root delivers into the Maildirs of all: no symbolic link below it is followed, and nothing that
lies there is opened for writing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from sesmail.disk import troubles, write_all
from sesmail.errors import Unavailable

SUFFIX = ".sesmail"
"""How the names of our files end, in ``tmp`` and where they are delivered."""

ABANDONED = 36 * 3600.0
"""Seconds after which a file in ``tmp`` is nobody's, as the specification has it."""

_PIECE = 65536
_PARTS = ("tmp", "new", "cur")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# No hard links in this file system, or none for us.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def deliver(
    path: str,
    id: str,
    message: BinaryIO,
    *,
    arrived: float,
    make: bool = False,
    now: Callable[[], float] = time.time,
) -> bool:
    """Deliver the rest of `message` as it is; durable on return. False when it is there already, also with a reader's flags.

    `id` is the message's own, the same at every try, and `arrived` (unix time) the date that readers show. The file belongs to the owner
    of the Maildir, if root delivers, and is as open to others as the folder is. With `make` a Maildir that is missing is made, in a
    folder that exists, for that folder's owner. Raises Unavailable, Limited (``452 4.3.1``: no room), and what reading raises; then
    nothing was delivered.
    """
    with troubles(), ExitStack() as stack:
        if make:
            _make(Path(path))
        inside = _Maildir(path, stack)
        name = f"{int(arrived)}.{hashlib.blake2b(id.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}{SUFFIX}"
        if inside.has(name):
            return False
        inside.sweep(now())
        with inside.written(name, message, arrived) as partial:
            # Again: meanwhile somebody else may have delivered it, and a reader taken it.
            return not inside.has(name) and inside.publish(partial, name)


class _Maildir:
    """The three folders, open."""

    def __init__(self, path: str, stack: ExitStack) -> None:
        # The Maildir itself may be a link: the administrator named it.
        root = _opened(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, stack)
        self._tmp, self._new, self._cur = (_opened(part, _FOLDER, stack, root) for part in _PARTS)
        self._owner = os.fstat(root)
        if any(os.fstat(part).st_uid != self._owner.st_uid for part in (self._tmp, self._new, self._cur)):
            raise Unavailable(cause=f"the folders in {path!r} do not all belong to one user")

    def has(self, name: str) -> bool:
        """Whether the message was delivered, at whatever time and with whatever flags; durable if so."""
        unique = name.partition(".")[2]
        # In this order: a message that a reader takes meanwhile goes from the one to the other.
        for folder in (self._new, self._cur):
            if any(_unique(entry) == unique for entry in _steady(folder)):
                os.fsync(folder)
                return True
        return False

    @contextmanager
    def written(self, name: str, message: BinaryIO, arrived: float) -> Iterator[str]:
        """A file in ``tmp`` that is on the disk, until it is published or forgotten."""
        partial = f"{name.removesuffix(SUFFIX)}.{secrets.token_hex(8)}{SUFFIX}"
        fd = os.open(partial, _CREATE, 0o600, dir_fd=self._tmp)
        try:
            try:
                self._write(fd, message, arrived)
            finally:
                os.close(fd)
            yield partial
        finally:
            _forget(partial, self._tmp)

    def publish(self, partial: str, name: str) -> bool:
        """Durable on return; False when a message of this name is there."""
        try:
            os.link(partial, name, src_dir_fd=self._tmp, dst_dir_fd=self._new, follow_symlinks=False)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            os.rename(partial, name, src_dir_fd=self._tmp, dst_dir_fd=self._new)
        os.fsync(self._new)
        return True

    def sweep(self, now: float) -> None:
        """Remove what deliveries left that a crash ended long ago."""
        for name in _names(self._tmp):
            if name.endswith(SUFFIX) and _age(name, self._tmp, now) > ABANDONED:
                _forget(name, self._tmp)

    def _write(self, fd: int, message: BinaryIO, arrived: float) -> None:
        while piece := message.read(_PIECE):
            write_all(fd, piece)
        if os.geteuid() == 0:
            os.fchown(fd, self._owner.st_uid, self._owner.st_gid)
        os.fchmod(fd, stat.S_IMODE(os.fstat(self._new).st_mode) & 0o666 | 0o600)
        os.utime(fd, (arrived, arrived))
        os.fsync(fd)


def _make(path: Path) -> None:
    """Whatever of it is missing. Durable on return."""
    with ExitStack() as stack:
        above = _opened(str(path.parent), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, stack)
        if _is_folder(path.name, above):
            root = _opened(str(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, stack)
        else:
            root = _made(path.name, above, stack)
        for part in _PARTS:
            if not _is_folder(part, root):
                _made(part, root, stack)


def _made(name: str, above: int, stack: ExitStack) -> int:
    # It gets its name when it is all that it should be: one that a crash left to root would stay root's.
    partial = f"{name}.{secrets.token_hex(8)}"
    os.mkdir(partial, 0o700, dir_fd=above)
    made = _opened(partial, _FOLDER, stack, above)
    if os.geteuid() == 0:
        owner = os.fstat(above)
        os.fchown(made, owner.st_uid, owner.st_gid)
    os.rename(partial, name, src_dir_fd=above, dst_dir_fd=above)
    os.fsync(above)
    return made


def _is_folder(name: str, above: int) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=above).st_mode)
    except FileNotFoundError:
        return False


def _opened(name: str, flags: int, stack: ExitStack, above: int | None = None) -> int:
    fd = os.open(name, flags, dir_fd=above)
    stack.callback(os.close, fd)
    return fd


def _unique(entry: str) -> str:
    """What of a name is the message's: not the time before it, not a reader's flags behind it."""
    return entry.partition(":")[0].partition(".")[2]


def _steady(folder: int) -> list[str]:
    """The names in a folder; where it changes meanwhile it is read again, for a file that is renamed may then be missed."""
    for _ in range(3):
        before = os.fstat(folder).st_mtime_ns
        names = _names(folder)
        if os.fstat(folder).st_mtime_ns == before:
            break
    return names


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _age(name: str, folder: int, now: float) -> float:
    # Not by the time of modification, which is the message's.
    try:
        return now - os.stat(name, dir_fd=folder, follow_symlinks=False).st_ctime
    except FileNotFoundError:
        return 0.0


def _forget(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
