"""The folders of a spool on disk, the mark of its format, and who holds it.

========== ================================================================================================
``lock``   held by the one gateway that the spool belongs to; says which process that is
``format`` the format's number
``new``    messages that are still being received
``queue``  messages on their way, each a file of the name of its id
``held``   messages that wait for the admin
``state``  what became of a message so far; its time of modification is when the message is due
``wishes`` ids of messages that another process wants looked at now
========== ================================================================================================
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from sesmail.disk import troubles, write_all
from sesmail.errors import Unavailable
from sesmail.relay.disk import Folder
from sesmail.relay.record import FORMAT

_NAMES = ("new", "queue", "held", "state", "wishes")
_CREATE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Folders:
    """All of them, open. Raises Unavailable when the spool cannot be used, in words for the admin."""

    def __init__(self, root: Path, *, make: bool) -> None:
        with troubles():
            if make:
                _make(root)
            if not (root / "format").exists():
                raise Unavailable("there is no spool: start the gateway once, or set relay.spool to where it keeps it")
            _check_format(root)
            self.new, self.queue, self.held, self.state, self.wishes = (Folder(root / name) for name in _NAMES)

    def sync(self, *folders: Folder) -> None:
        """See Folder.sync."""
        for folder in folders:
            folder.sync()

    def close(self) -> None:
        """Give up all descriptors."""
        for folder in (self.new, self.queue, self.held, self.state, self.wishes):
            folder.close()


class Hold:
    """The lock of the whole spool, until it is closed or the process ends."""

    def __init__(self, root: Path) -> None:
        with troubles():
            self._fd = os.open(root / "lock", _CREATE, 0o600)
            try:
                self._take()
            except BaseException:
                os.close(self._fd)
                raise

    def _take(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise Unavailable(
                f"another gateway (process {pid}) uses this spool: stop it, or set relay.spool to another folder"
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, b"%d\n" % os.getpid(), 0)

    def close(self) -> None:
        """Let another one have it."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _make(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in _NAMES:
        (root / name).mkdir(exist_ok=True, mode=0o700)
    if not (root / "format").exists():
        _write_format(root)


def _write_format(root: Path) -> None:
    fd = os.open(root / "format.new", _CREATE | os.O_TRUNC, 0o600)
    try:
        write_all(fd, b"%d\n" % FORMAT)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(root / "format.new", root / "format")
    for path in (root, root.parent):
        folder = Folder(path)
        folder.sync()
        folder.close()


def _check_format(root: Path) -> None:
    said = (root / "format").read_bytes()[:20].strip()
    if said != b"%d" % FORMAT:
        newer = said.isdigit() and int(said) > FORMAT
        raise Unavailable(
            f"the spool has format {said.decode('ascii', 'replace')!r}, this program knows {FORMAT}: "
            + ("use the newer program that wrote it" if newer else "its file `format` is damaged")
        )
