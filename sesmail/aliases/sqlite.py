"""The table of aliases in one SQLite file: for one machine, and for as many processes as use it there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from sqlite3 import Connection
from typing import Any

from sesmail.aliases import cursor
from sesmail.aliases.addresses import checked_alias, checked_destination, checked_domain
from sesmail.aliases.records import Alias, DestinationRecord, Domain
from sesmail.aliases.sqlitefile import SqliteFile
from sesmail.aliases.sqliterows import Rows
from sesmail.aliases.table import MOST_ROWS, Page, Query, Taken

FORMAT = 1

_STAMPS = "created INTEGER NOT NULL, modified INTEGER NOT NULL, version INTEGER NOT NULL"
_SCRIPT = f"""
CREATE TABLE alias (
  domain TEXT NOT NULL, local TEXT NOT NULL, destinations TEXT NOT NULL, identifier TEXT NOT NULL UNIQUE,
  active INTEGER NOT NULL, ignore INTEGER NOT NULL, owner TEXT NOT NULL, description TEXT NOT NULL,
  use_count INTEGER NOT NULL, {_STAMPS}, PRIMARY KEY (domain, local)
) STRICT, WITHOUT ROWID;
CREATE INDEX alias_of_owner ON alias (owner, domain, local);
CREATE TABLE domain (
  name TEXT PRIMARY KEY, active INTEGER NOT NULL, description TEXT NOT NULL, catch_all TEXT NOT NULL, {_STAMPS}
) STRICT, WITHOUT ROWID;
CREATE TABLE configured (what TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE destination (
  address TEXT PRIMARY KEY, active INTEGER NOT NULL, verified INTEGER NOT NULL, {_STAMPS}
) STRICT, WITHOUT ROWID
"""

_ALIASES = Rows(Alias, "alias", ("domain", "local"))
_DOMAINS = Rows(Domain, "domain", ("name",))
_DESTINATIONS = Rows(DestinationRecord, "destination", ("address",))


class SqliteTable:
    """See Table. A search looks through all rows, some 100,000 in a tenth of a second.

    The file is made if it is not there. Raises Malformed for one that is another program's or a newer version's, and Unavailable.
    """

    def __init__(self, path: str) -> None:
        self._file = SqliteFile(path, _SCRIPT, FORMAT)

    def close(self) -> None:
        """Nobody may use it any more."""
        self._file.close()

    def get(self, local: str, domain: str) -> Alias | None:
        with self._file.reading() as connection:
            return _ALIASES.get(connection, local=local, domain=domain)

    def identified(self, identifier: str) -> Alias | None:
        with self._file.reading() as connection:
            found = connection.execute(f"{_ALIASES.select} WHERE identifier = ?", (identifier,)).fetchone()
        return None if found is None else _ALIASES.record(found)

    def find(self, query: Query, *, limit: int, after: str = "") -> Page:
        limit = max(1, min(limit, MOST_ROWS))
        conditions, values = _meant(query)
        if after:
            conditions.append("(domain, local) > (:after_domain, :after_local)")
            values["after_domain"], values["after_local"] = cursor.read(after)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        with self._file.reading() as connection:
            statement = f"{_ALIASES.select}{where} ORDER BY domain, local LIMIT {limit + 1}"
            rows = [_ALIASES.record(row) for row in connection.execute(statement, values)]
        last = rows[limit - 1] if len(rows) > limit else None
        return Page(tuple(rows[:limit]), cursor.written(last.domain, last.local) if last else "")

    def add(self, alias: Alias) -> Alias:
        checked_alias(alias)
        with self._file.writing() as connection:
            return _ALIASES.add(connection, alias)

    def add_all(self, aliases: Sequence[Alias]) -> Sequence[Alias]:
        for alias in aliases:
            checked_alias(alias)
        with self._file.writing() as connection:
            return [alias for alias in aliases if not _is_added(connection, alias)]

    def change(self, old: Alias, new: Alias) -> Alias:
        checked_alias(new)
        with self._file.writing() as connection:
            return _ALIASES.change(connection, old, new)

    def remove(self, alias: Alias) -> None:
        with self._file.writing() as connection:
            _ALIASES.remove(connection, alias)

    def count_use(self, local: str, domain: str) -> None:
        with self._file.writing() as connection:
            connection.execute("UPDATE alias SET use_count = use_count + 1 WHERE local = ? AND domain = ?", (local, domain))

    def domain(self, name: str) -> Domain | None:
        with self._file.reading() as connection:
            return _DOMAINS.get(connection, name=name)

    def destination(self, address: str) -> DestinationRecord | None:
        with self._file.reading() as connection:
            return _DESTINATIONS.get(connection, address=address)

    def domains(self) -> Sequence[Domain] | None:
        with self._file.reading() as connection:
            rows = [_DOMAINS.record(row) for row in connection.execute(f"{_DOMAINS.select} ORDER BY name")]
            ever = rows or connection.execute("SELECT 1 FROM configured WHERE what = 'domains'").fetchone()
        return tuple(rows) if ever else None

    def add_domain(self, domain: Domain) -> Domain:
        checked_domain(domain)
        with self._file.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO configured VALUES ('domains')")
            return _DOMAINS.add(connection, domain)

    def change_domain(self, old: Domain, new: Domain) -> Domain:
        checked_domain(new)
        with self._file.writing() as connection:
            return _DOMAINS.change(connection, old, new)

    def remove_domain(self, domain: Domain) -> None:
        with self._file.writing() as connection:
            _DOMAINS.remove(connection, domain)

    def destinations(self) -> Sequence[DestinationRecord]:
        with self._file.reading() as connection:
            rows = connection.execute(f"{_DESTINATIONS.select} ORDER BY address").fetchall()
        return tuple(_DESTINATIONS.record(row) for row in rows)

    def add_destination(self, destination: DestinationRecord) -> DestinationRecord:
        checked_destination(destination)
        with self._file.writing() as connection:
            return _DESTINATIONS.add(connection, destination)

    def change_destination(self, old: DestinationRecord, new: DestinationRecord) -> DestinationRecord:
        checked_destination(new)
        with self._file.writing() as connection:
            return _DESTINATIONS.change(connection, old, new)

    def remove_destination(self, destination: DestinationRecord) -> None:
        with self._file.writing() as connection:
            _DESTINATIONS.remove(connection, destination)


def _is_added(connection: Connection, alias: Alias) -> bool:
    try:
        _ALIASES.add(connection, alias)
    except Taken:
        return False
    return True


def _meant(query: Query) -> tuple[list[str], dict[str, Any]]:
    pairs = tuple(_conditions(query))
    return [condition for condition, _, _ in pairs], {name: value for _, name, value in pairs}


def _conditions(query: Query) -> Iterator[tuple[str, str, Any]]:
    if query.text:
        yield "instr(local || '@' || domain, :text)", "text", query.text
    if query.destination is not None:
        listed = "EXISTS (SELECT 1 FROM json_each(destinations) WHERE value = :destination)"
        yield listed, "destination", query.destination
    for name in ("domain", "owner"):
        if (text := getattr(query, name)) is not None:
            yield f"{name} = :{name}", name, text
    for name in ("active", "ignore"):
        if (switch := getattr(query, name)) is not None:
            yield f"{name} = :{name}", name, int(switch)
