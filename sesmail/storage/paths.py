"""Keys as paths below a root, opened part by part without ever following a symbolic link."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sesmail.errors import Malformed, Unavailable

PARTIAL = b".sesmail-part-"
"""How the names of half-written files begin; no key may."""

LONGEST = 255
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO})


def split(key: str) -> list[bytes]:
    """The parts of a key. Raises Malformed for one that is no path of its own: an empty part, ``.``, ``..``, NUL, a part over 255
    octets, a name of a half-written file."""
    return [_part(part, key) for part in key.split("/")]


def split_prefix(prefix: str) -> tuple[list[bytes], bytes]:
    """The folders of a prefix, and how names in the last of them begin. Raises Malformed as `split` does."""
    folders, slash, start = prefix.rpartition("/")
    only_dots = not start.strip(".")
    return split(folders) if slash else [], start.encode() if only_dots else _part(start, prefix)


def _part(part: str, key: str) -> bytes:
    try:
        name = part.encode()
    except UnicodeEncodeError:
        raise Malformed(cause=f"not a key: {key!r}") from None
    if name in (b"", b".", b"..") or b"\0" in name or len(name) > LONGEST or name.startswith(PARTIAL):
        raise Malformed(cause=f"not a key: {key!r}")
    return name


def is_absence(error: OSError) -> bool:
    """True when the error says that there is nothing of that name: also a file in a folder's place, a symbolic link, a socket."""
    return error.errno in _ABSENT


@contextmanager
def troubles() -> Iterator[None]:
    """Turns an error of the file system into Unavailable."""
    try:
        yield
    except OSError as error:
        raise Unavailable(cause=error) from error


@contextmanager
def folder(root: Path, parts: Sequence[bytes], *, create: bool = False) -> Iterator[int]:
    """A descriptor of the folder. Raises OSError; Unavailable when even the root is missing, for then the disk is not there.

    Folders that `create` made are durable.
    """
    with troubles():
        # The root itself may be a link: the administrator named it.
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            if create:
                _make(part, descriptor)
            inner = os.open(part, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _make(part: bytes, above: int) -> None:
    try:
        os.mkdir(part, 0o750, dir_fd=above)
    except FileExistsError:
        return
    os.fsync(above)
