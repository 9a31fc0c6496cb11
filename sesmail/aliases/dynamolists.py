"""Domains and destinations as tacomail keeps them in DynamoDB: each kind in one item, a list of maps, or, as its README has it, a set of names.

An item holds 400 KB, some 2,000 entries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from sesmail.aliases.dynamoitems import CONFIG, key, number, spelt, switch, text, texts
from sesmail.aliases.records import DestinationRecord, Domain
from sesmail.aliases.table import Changed, NoSuchRow, Taken
from sesmail.aws.dynamodb import ConditionFailed, DynamoTable, Item
from sesmail.errors import Limited

R = TypeVar("R", Domain, DestinationRecord)

# The code of tacomail reads the first one, its README tells of the second one.
_LIST, _SET = "configValues", "configValue"
_DOMAIN, _DESTINATION = "subdomain", "destination"
_TRIES = 10


@dataclass(frozen=True)
class _Entry(Generic[R]):
    """A record, and the map that says so."""

    record: R
    map: Item


class Listed(Generic[R]):
    """The records of one item. `name` is theirs in lower case; `read` and `written` lead from a map to a record and back."""

    def __init__(
        self, table: DynamoTable, what: str, name: Callable[[R], str], read: Callable[[Item], R], written: Callable[[R], Item]
    ) -> None:
        self._table = table
        self._key = key(what, CONFIG)
        self._name: Callable[[R], str] = name
        self._read: Callable[[Item], R] = read
        self._written: Callable[[R], Item] = written

    def all(self) -> Sequence[R] | None:
        """By name; None where there is no such item, or nothing in it."""
        value = _said(self._item())
        return tuple(sorted((one.record for one in self._entries(value).values()), key=self._name)) if value else None

    def add(self, record: R) -> R:
        """Raises Taken."""

        def with_it(entries: dict[str, _Entry[R]]) -> R:
            if self._name(record) in entries:
                raise Taken
            return self._put(entries, replace(record, version=1), {})

        return self._rewrite(with_it)

    def change(self, old: R, new: R) -> R:
        """Raises NoSuchRow and Changed."""

        def with_it(entries: dict[str, _Entry[R]]) -> R:
            found = self._found(entries, old)
            return self._put(entries, replace(new, version=old.version + 1), found.map)

        return self._rewrite(with_it)

    def remove(self, record: R) -> None:
        """Raises NoSuchRow and Changed."""

        def without_it(entries: dict[str, _Entry[R]]) -> R:
            self._found(entries, record)
            return entries.pop(self._name(record)).record

        self._rewrite(without_it)

    def _rewrite(self, change: Callable[[dict[str, _Entry[R]]], R]) -> R:
        """Write what `change` makes of the entries, unless somebody else wrote meanwhile: then once more, from what is there now."""
        for _ in range(_TRIES):
            item = self._item()
            entries = self._entries(_said(item))
            record = change(entries)
            try:
                self._write(item.get(_LIST), [one.map for one in entries.values()])
                return record
            except ConditionFailed:
                continue
        raise Limited("somebody else is changing the same entries, try again later")

    def _write(self, old: dict[str, Any] | None, maps: Sequence[Item]) -> None:
        self._table.write(
            "update_item",
            Key=self._key,
            UpdateExpression=f"SET {_LIST} = :new",
            ConditionExpression=f"{_LIST} = :old" if old else f"attribute_not_exists({_LIST})",
            ExpressionAttributeValues={":new": {"L": [{"M": one} for one in maps]}} | ({":old": old} if old else {}),
        )

    def _found(self, entries: dict[str, _Entry[R]], old: R) -> _Entry[R]:
        found = entries.get(self._name(old))
        if found is None:
            raise NoSuchRow
        now = found.record
        if (now.version, now.created, now.modified) != (old.version, old.created, old.modified):
            raise Changed
        return found

    def _put(self, entries: dict[str, _Entry[R]], record: R, before: Item) -> R:
        entries[self._name(record)] = _Entry(record, before | self._written(record))
        return record

    def _item(self) -> Item:
        return self._table.get(self._key) or {}

    def _entries(self, value: dict[str, Any]) -> dict[str, _Entry[R]]:
        maps: list[Item] = [one["M"] for one in value.get("L", ()) if "M" in one]
        named: list[Item] = [self._written(self._read({_DOMAIN: {"S": one}, _DESTINATION: {"S": one}})) for one in texts(value)]
        found: dict[str, _Entry[R]] = {}
        for map in (*maps, *named):
            record = self._read(map)
            # Where tacomail has written a name twice, it looks at the first one.
            if self._name(record):
                found.setdefault(self._name(record), _Entry(record, map))
        return found


def domains(table: DynamoTable) -> Listed[Domain]:
    """Of the item ``sub_domains``."""
    return Listed(table, "sub_domains", lambda record: record.name, _domain, _of_domain)


def destinations(table: DynamoTable) -> Listed[DestinationRecord]:
    """Of the item ``destinations``, which nothing of tacomail ever wrote."""
    return Listed(table, "destinations", lambda record: record.address, _destination, _of_destination)


def _said(item: Item) -> dict[str, Any]:
    return item.get(_LIST) or item.get(_SET) or {}


def _domain(map: Item) -> Domain:
    return Domain(
        name=text(map, _DOMAIN).lower(),
        active=switch(map, "active", True),
        description=text(map, "description"),
        catch_all=texts(map.get("catch_all", {})),
        **_stamps(map),
    )


def _of_domain(domain: Domain) -> Item:
    return {
        _DOMAIN: {"S": domain.name},
        "active": {"BOOL": domain.active},
        "description": {"S": domain.description},
        "catch_all": {"L": [{"S": one} for one in domain.catch_all]},
        **_of_stamps(domain),
    }


def _destination(map: Item) -> DestinationRecord:
    address = spelt(text(map, _DESTINATION))
    return DestinationRecord(address, switch(map, "active", True), switch(map, "verified"), **_stamps(map))


def _of_destination(record: DestinationRecord) -> Item:
    return {
        _DESTINATION: {"S": record.address},
        "active": {"BOOL": record.active},
        "verified": {"BOOL": record.verified},
        **_of_stamps(record),
    }


def _stamps(map: Item) -> dict[str, int]:
    return {
        "created": number(map, "created_datetime"),
        "modified": number(map, "modified_datetime"),
        "version": number(map, "version"),
    }


def _of_stamps(record: Domain | DestinationRecord) -> Item:
    return {
        "created_datetime": {"N": str(record.created)},
        "modified_datetime": {"N": str(record.modified)},
        "version": {"N": str(record.version)},
    }
