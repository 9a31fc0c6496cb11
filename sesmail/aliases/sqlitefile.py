"""One SQLite file: made and checked when it is opened, then read and written by threads and processes at a time.

https://www.sqlite.org/wal.html and https://www.sqlite.org/pragma.html
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from sesmail.errors import Limited, Malformed, Unavailable

# "sesa": nobody else's file is written to.
_APPLICATION = 0x73657361
_BUSY_SECONDS = 10.0


class SqliteFile:
    """Thread-safe. One connection reads and one writes, so that nobody who reads waits for the disk.

    `script` makes the tables of an empty file; `version` is that of its format. The file is made if it is not there, and its folder, for
    their owner alone. Raises Malformed for a file of something else or of a newer version, and Unavailable.
    """

    def __init__(self, path: str, script: str, version: int) -> None:
        self._path = path
        self._reads, self._writes = threading.Lock(), threading.Lock()
        with _troubles(), _opening(path), ExitStack() as opened:
            _make(Path(path))
            self._writer = opened.enter_context(closing(_connected(path)))
            self._prepare(script, version)
            self._reader = opened.enter_context(closing(_connected(path)))
            self._reader.execute("PRAGMA query_only = ON")
            opened.pop_all()

    def close(self) -> None:
        """Nobody may use it any more."""
        with self._reads, self._writes:
            self._reader.close()
            # The last one to close brings the log into the file.
            self._writer.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """What was written until now, by anybody. Raises Unavailable."""
        with self._reads, _troubles():
            yield self._reader

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that no other writer sees half of; durable when the block ends, undone when it raises. Raises Unavailable, and
        Limited for a full disk."""
        with self._writes, _troubles():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                # A full disk has undone it already.
                with suppress(sqlite3.OperationalError):
                    self._writer.execute("ROLLBACK")
                raise

    def _prepare(self, script: str, version: int) -> None:
        if self._is_made(version):
            return
        self._writer.execute("PRAGMA journal_mode = WAL")
        # Of several who open a new file one makes the tables.
        with self.writing() as connection:
            if not self._is_made(version):
                for statement in script.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {version}")

    def _is_made(self, version: int) -> bool:
        application, found = self._number("application_id"), self._number("user_version")
        if application == _APPLICATION:
            if found > version:
                raise Malformed(f"{self._path} was written by a newer sesmail: its format is {found}, this one knows {version}")
            return True
        if application or self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise Malformed(f"{self._path} is the file of another program")
        return False

    def _number(self, pragma: str) -> int:
        return int(self._writer.execute(f"PRAGMA {pragma}").fetchone()[0])


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite would make it readable for all, and gives its log the mode of the file. One that is there is not opened: to close it would
    # give up the locks of whoever uses it in this process (https://www.sqlite.org/howtocorrupt.html section 2.2).
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _connected(path: str) -> sqlite3.Connection:
    made = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        made.execute("PRAGMA synchronous = FULL")
        made.execute("PRAGMA trusted_schema = OFF")
    except sqlite3.Error:
        made.close()
        raise
    return made


@contextmanager
def _opening(path: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if _code(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise Malformed(f"{path} is no SQLite file, or it is broken") from error
        raise


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@contextmanager
def _troubles() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if isinstance(error, sqlite3.Error) and _code(error) == sqlite3.SQLITE_FULL:
            raise Limited("not enough room on the disk, try again later", cause=error, smtp="452 4.3.1") from error
        raise Unavailable(cause=error) from error
    except UnicodeEncodeError:
        raise Malformed("text must be Unicode") from None
