"""The rows of one kind of record in SQLite: columns are the fields of the record, changes go by what was read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any, Generic, TypeVar

from sesmail.aliases.records import Alias, DestinationRecord, Domain
from sesmail.aliases.table import Changed, NoSuchRow, Taken

R = TypeVar("R", Alias, Domain, DestinationRecord)

_LISTS = frozenset({"destinations", "catch_all"})
_SWITCHES = frozenset({"active", "ignore", "verified"})
# A row that was removed and made anew has the version of the old one, but not all of these.
_WITNESSES = ("version", "identifier", "created", "modified")


class Rows(Generic[R]):
    """Every method runs within the caller's transaction."""

    def __init__(self, kind: type[R], name: str, key: tuple[str, ...]) -> None:
        self._kind: type[R] = kind
        self._name = name
        self._columns = [one.name for one in fields(kind)]
        self._witnesses = [one for one in _WITNESSES if one in self._columns]
        self._where = " AND ".join(f"{one} = :{one}" for one in key)
        same = " AND ".join(f"{one} = :old_{one}" for one in (*key, *self._witnesses))
        changes = ", ".join(f"{one} = :{one}" for one in self._columns if one not in ("version", "use_count"))
        values = ", ".join(f":{one}" for one in self._columns)
        self.select = f"SELECT {', '.join(self._columns)} FROM {name}"
        self._old = (*key, *self._witnesses)
        self._insert = f"INSERT INTO {name} ({', '.join(self._columns)}) VALUES ({values})"
        self._update = f"UPDATE {name} SET {changes}, version = version + 1 WHERE {same} RETURNING {', '.join(self._columns)}"
        self._delete = f"DELETE FROM {name} WHERE {same}"

    def get(self, connection: sqlite3.Connection, **key: str) -> R | None:
        found = connection.execute(f"{self.select} WHERE {self._where}", key).fetchone()
        return None if found is None else self.record(found)

    def record(self, row: Iterable[Any]) -> R:
        """Of a row that `select` gave."""
        return self._kind(**{name: _read(name, value) for name, value in zip(self._columns, row, strict=True)})

    def add(self, connection: sqlite3.Connection, record: R) -> R:
        """Raises Taken."""
        first = replace(record, version=1)
        try:
            connection.execute(self._insert, self._values(first))
        except sqlite3.IntegrityError:
            raise Taken from None
        return first

    def change(self, connection: sqlite3.Connection, old: R, new: R) -> R:
        """Raises NoSuchRow, Changed and Taken."""
        try:
            found = connection.execute(self._update, self._values(new) | self._of_old(old)).fetchone()
        except sqlite3.IntegrityError:
            raise Taken from None
        if found is None:
            self._missed(connection, old)
        return self.record(found)

    def remove(self, connection: sqlite3.Connection, record: R) -> None:
        """Raises NoSuchRow and Changed."""
        if connection.execute(self._delete, self._of_old(record)).rowcount == 0:
            self._missed(connection, record)

    def _missed(self, connection: sqlite3.Connection, old: R) -> None:
        present = connection.execute(f"SELECT 1 FROM {self._name} WHERE {self._where}", self._values(old)).fetchone()
        raise Changed if present else NoSuchRow

    def _values(self, record: R) -> dict[str, Any]:
        return {name: _written(getattr(record, name)) for name in self._columns}

    def _of_old(self, record: R) -> dict[str, Any]:
        return {f"old_{name}": getattr(record, name) for name in self._old}


def _written(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, tuple) else int(value) if isinstance(value, bool) else value


def _read(name: str, value: Any) -> Any:
    return tuple(json.loads(value)) if name in _LISTS else bool(value) if name in _SWITCHES else value
