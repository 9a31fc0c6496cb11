"""A password file on this machine. Imports no Twisted; blocks."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sesmail.auth.entries import Content
from sesmail.errors import NoSuchMessage, Refused, TooLarge, Unavailable

LIMIT = 4 << 20


class LocalFile:
    """See edits.Editable. Mode and owner of the file stay as they are; a new one is for its owner alone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Content:
        """See Editable. Raises TooLarge above LIMIT octets."""
        try:
            return self.changed(None) or Content()
        except NoSuchMessage:
            return Content()

    def changed(self, known: str | None) -> Content | None:
        """The file, or None when it still has the ETag that is known. Raises NoSuchMessage when there is none."""
        with _troubles():
            try:
                with self._path.open("rb") as file:
                    etag = _etag(os.fstat(file.fileno()))
                    if etag == known:
                        return None
                    data = file.read(LIMIT + 1)
            except FileNotFoundError as error:
                raise NoSuchMessage(cause=error) from None
        if len(data) > LIMIT:
            raise TooLarge(cause=f"{self._path} is too large for a password file")
        return Content(data, etag)

    def put(self, data: bytes, etag: str | None) -> None:
        """See Editable."""
        # Through a symbolic link, or the link would be replaced and its file left as it was.
        path = Path(os.path.realpath(self._path))
        with _troubles(), _locked(path.parent) as folder:
            status = _status(path)
            if (_etag(status) if status else None) != etag:
                raise Refused("the password file was changed meanwhile")
            _replace(path, data, status)
            os.fsync(folder)


def _replace(path: Path, data: bytes, status: os.stat_result | None) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if status is not None:
                _like(file.fileno(), status)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _like(descriptor: int, status: os.stat_result) -> None:
    mine = os.fstat(descriptor)
    if (mine.st_uid, mine.st_gid) != (status.st_uid, status.st_gid):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, status.st_mode & 0o777)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _etag(status: os.stat_result) -> str:
    # A replaced file has another inode; one written in place, another time.
    return f"{status.st_dev:x}-{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # The lock makes condition and renaming one step for all that go this way.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _troubles() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable("the password file cannot be used", cause=error) from error
