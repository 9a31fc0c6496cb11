"""A store in a directory: the same keys as in a bucket, each a file of that path below the root.

Of one path only a file or a folder can exist, so a key ``a`` and a key ``a/b`` exclude each other here. Symbolic links and
special files are no keys. Folders stay when their last file is removed.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from sesmail.errors import Malformed, NoSuchMessage, Refused
from sesmail.storage.abandoned import Sweep
from sesmail.storage.files import Reading, etag_of, metadata_of, removed, row, status_of, written
from sesmail.storage.metadata import check
from sesmail.storage.paths import PARTIAL, folder, is_absence, split, split_prefix, troubles
from sesmail.storage.store import Aged, Head, Loaded, Row, Store, Unchanged, carry, read_whole

log = logging.getLogger(__name__)

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class DirectoryStore:
    """See store.Store. The root must exist: a disk that is not mounted must not look like an empty mailbox."""

    keeps_metadata = False

    def __init__(self, root: Path) -> None:
        self._root = root
        self._told = False
        self._sweep = Sweep()

    def list(self, prefix: str, *, delimiter: str = "") -> Iterator[Row]:
        """See Store. `delimiter` is empty or ``/``."""
        above, start = split_prefix(prefix)
        base = b"".join(part + b"/" for part in above)
        with troubles():
            yield from self._walk(above, base, start, deep=not delimiter)

    def folders(self, prefix: str) -> Iterator[str]:
        """See Store."""
        above, start = split_prefix(prefix)
        base = b"".join(part + b"/" for part in above)
        with troubles():
            for name in self._names(above, start):
                if name.endswith(b"/"):
                    yield (base + name).decode()

    def head(self, key: str) -> Head:
        """See Store."""
        with self.open(key) as file, troubles():
            status = os.fstat(file.fileno())
            return Head(status.st_size, etag_of(status), status.st_mtime, metadata_of(file.fileno()))

    def open(self, key: str, *, match: str | None = None) -> BinaryIO:
        """See Store. The file is seekable. Raises Malformed, too."""
        *above, last = split(key)
        with troubles():
            try:
                with folder(self._root, above) as inside:
                    file = Reading(os.open(last, _READ, dir_fd=inside))
            except OSError as error:
                if is_absence(error):
                    raise NoSuchMessage(cause=error) from None
                raise
            status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            file.close()
            raise NoSuchMessage(cause=f"not a file: {key!r}")
        if match not in (None, etag_of(status)):
            file.close()
            raise Refused("the object is not what it was expected to be")
        return file

    def load(self, key: str, *, limit: int, known: str | None = None) -> Loaded | Unchanged:
        """See Store."""
        with self.open(key) as file, troubles():
            etag = etag_of(os.fstat(file.fileno()))
            if etag == known:
                return Unchanged()
            return Loaded(read_whole(file.read, limit), etag)

    def load_aged(self, key: str, *, limit: int) -> Aged:
        """See Store. The clock is the machine's, which also stamps what `put` writes."""
        with self.open(key) as file, troubles():
            status = os.fstat(file.fileno())
            return Aged(read_whole(file.read, limit), etag_of(status), max(0.0, time.time() - status.st_mtime))

    def put(
        self,
        key: str,
        data: bytes | BinaryIO,
        *,
        absent: bool = False,
        match: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """See Store. Also removes from the key's folder what a crash left half-written, when it is a day old."""
        *above, last = split(key)
        known = check(metadata or {})
        with troubles():
            try:
                with folder(self._root, above, create=True) as inside:
                    etag = written(inside, last, data, known, absent, match)
                    self._sweep.look(above, inside, time.time())
                    return etag
            except OSError as error:
                if is_absence(error):
                    raise Malformed(cause=error) from None
                raise

    def copy(
        self,
        source: str,
        key: str,
        *,
        match: str,
        metadata: Mapping[str, str],
        absent: bool = False,
        out_of: Store | None = None,
    ) -> Head | None:
        """See Store."""
        origin = self if out_of is None else out_of
        return carry(origin, source, self, key, match=match, metadata=metadata, absent=absent)

    def delete(self, keys: Iterable[str]) -> dict[str, str]:
        """See Store."""
        by_folder: defaultdict[tuple[bytes, ...], dict[bytes, str]] = defaultdict(dict)
        for key in keys:
            *above, last = split(key)
            by_folder[tuple(above)][last] = key
        remaining: dict[str, str] = {}
        for parts, names in by_folder.items():
            try:
                with folder(self._root, parts) as inside:
                    remaining |= removed(inside, names)
            except OSError as error:
                if not is_absence(error):
                    remaining |= dict.fromkeys(names.values(), error.strerror or type(error).__name__)
        return remaining

    def _walk(self, above: Sequence[bytes], base: bytes, start: bytes, *, deep: bool) -> Iterator[Row]:
        # Statuses are taken folder by folder: no descriptor stays open while the caller has the next row.
        for name, status in self._statuses(above, start):
            if status is not None:
                yield row(base + name, status)
            elif deep:
                yield from self._walk([*above, name[:-1]], base + name, b"", deep=True)

    def _statuses(self, above: Sequence[bytes], start: bytes) -> Iterator[tuple[bytes, os.stat_result | None]]:
        names = self._names(above, start)
        for first in range(0, len(names), 1000):
            yield from _looked_up(self._root, above, names[first : first + 1000])

    def _names(self, above: Sequence[bytes], start: bytes) -> Sequence[bytes]:
        """Names of files, and of folders with ``/``, in key order: ``a.b`` stands before ``a/``."""
        try:
            with folder(self._root, above) as inside, os.scandir(inside) as entries:
                return sorted(name for entry in entries if (name := self._name(entry)).startswith(start) and name)
        except OSError as error:
            if is_absence(error):
                return []
            raise

    def _name(self, entry: os.DirEntry[str]) -> bytes:
        name = os.fsencode(entry.name)
        try:
            name.decode()
        except UnicodeDecodeError:
            if not self._told:
                log.warning("files whose names are not UTF-8 are hidden, such as %r", name)
                self._told = True
            return b""
        if entry.is_dir(follow_symlinks=False):
            return name + b"/"
        return name if entry.is_file(follow_symlinks=False) and not name.startswith(PARTIAL) else b""


def _looked_up(root: Path, above: Sequence[bytes], names: Sequence[bytes]) -> list[tuple[bytes, os.stat_result | None]]:
    """Each name with its status, None for a folder; names that vanished are left out."""
    found: list[tuple[bytes, os.stat_result | None]] = []
    try:
        with folder(root, above) as inside:
            for name in names:
                if name.endswith(b"/"):
                    found.append((name, None))
                elif (status := status_of(inside, name)) is not None:
                    found.append((name, status))
    except OSError as error:
        if not is_absence(error):
            raise
    return found
