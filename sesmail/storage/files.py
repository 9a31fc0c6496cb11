"""Single files of a directory store: their rows, their octets, and how they are written and removed."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import secrets
import shutil
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, BinaryIO

from sesmail.errors import Refused
from sesmail.storage.paths import PARTIAL, is_absence, troubles
from sesmail.storage.store import Row

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE = 64 * 1024
_ATTRIBUTE = "user.x-amz-meta-"


class Reading(io.FileIO):
    """An open file. A read raises Unavailable when the disk fails."""

    def read(self, size: int | None = -1, /) -> bytes:
        with troubles():
            return super().read(size)

    def readinto(self, buffer: Any, /) -> int:
        with troubles():
            return super().readinto(buffer)


def metadata_of(file: int) -> dict[str, str]:
    """What of the metadata the file system has kept."""
    found: dict[str, str] = {}
    with suppress(OSError):
        for name in os.listxattr(file):
            if name.startswith(_ATTRIBUTE):
                found[name.removeprefix(_ATTRIBUTE)] = os.getxattr(file, name).decode(errors="replace")
    return found


def row(key: bytes, status: os.stat_result) -> Row:
    """What a listing says of a file."""
    moment = datetime.fromtimestamp(max(status.st_mtime_ns, 0) // 1_000_000 / 1000, UTC)
    modified = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    return Row(key, modified.encode(), etag_of(status).encode(), b"%d" % status.st_size)


def etag_of(status: os.stat_result) -> str:
    """32 hex digits that stay while the file is not touched: BLAKE2b over device, inode, size and time of last change in ns."""
    text = f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def status_of(inside: int, name: bytes) -> os.stat_result | None:
    """The status of a regular file, else None."""
    try:
        status = os.stat(name, dir_fd=inside, follow_symlinks=False)
    except OSError as error:
        if is_absence(error):
            return None
        raise
    return status if stat.S_ISREG(status.st_mode) else None


def written(
    inside: int, name: bytes, data: bytes | BinaryIO, metadata: Mapping[str, str], absent: bool, match: str | None
) -> str:
    """Write a file into the folder of this descriptor; durable on return. Returns its ETag. Raises OSError, Refused."""
    partial = PARTIAL + secrets.token_hex(8).encode()
    with os.fdopen(os.open(partial, _CREATE, 0o640, dir_fd=inside), "wb") as file:
        try:
            if isinstance(data, bytes):
                file.write(data)
            else:
                shutil.copyfileobj(data, file, _PIECE)
            file.flush()
            _keep(file.fileno(), metadata)
            # The kernel's own stamps are some milliseconds coarse: two versions of one size could get one ETag.
            now = time.time_ns()
            os.utime(file.fileno(), ns=(now, now))
            os.fsync(file.fileno())
            _take_place(inside, partial, name, absent, match)
        except BaseException:
            os.unlink(partial, dir_fd=inside)
            raise
        etag = etag_of(os.fstat(file.fileno()))
    os.fsync(inside)
    return etag


def _keep(file: int, metadata: Mapping[str, str]) -> None:
    # Many file systems have no attributes, or little room for them.
    with suppress(OSError):
        for name, value in metadata.items():
            os.setxattr(file, _ATTRIBUTE + name, value.encode())


def _take_place(inside: int, partial: bytes, name: bytes, absent: bool, match: str | None) -> None:
    # The lock, until the folder is closed, makes condition and renaming one step for all processes.
    fcntl.flock(inside, fcntl.LOCK_EX)
    if absent or match is not None:
        status = status_of(inside, name)
        if (etag_of(status) if status else None) != match:
            raise Refused("the object is not what it was expected to be")
    os.rename(partial, name, src_dir_fd=inside, dst_dir_fd=inside)


def removed(inside: int, names: dict[bytes, str]) -> dict[str, str]:
    """Remove files, each with the key it stands for, from the folder of this descriptor; durable on return. Returns the keys that
    remain, each with a reason."""
    fcntl.flock(inside, fcntl.LOCK_EX)
    remaining: dict[str, str] = {}
    for name, key in names.items():
        try:
            if status_of(inside, name) is not None:
                os.unlink(name, dir_fd=inside)
        except OSError as error:
            if not is_absence(error):
                remaining[key] = error.strerror or type(error).__name__
    os.fsync(inside)
    return remaining
