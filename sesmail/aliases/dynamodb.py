"""The table of aliases in DynamoDB: tacomail's own table, or one like it, for any number of gateways and functions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sesmail.aliases import cursor, dynamolists
from sesmail.aliases.addresses import checked_alias, checked_destination, checked_domain
from sesmail.aliases.dynamochange import delete, put, update
from sesmail.aliases.dynamoitems import CONFIG, alias_of, key, text
from sesmail.aliases.recent import Recent
from sesmail.aliases.records import Alias, DestinationRecord, Domain
from sesmail.aliases.table import MOST_ROWS, Changed, NoSuchRow, Page, Query, Taken
from sesmail.aws.dynamodb import ConditionFailed, DynamoTable, Item
from sesmail.errors import Limited, Malformed

_TRIES = 10
_REQUESTS = 4
_AT_ONCE = 16
# An index is usually late by milliseconds.
_LATENESS = (0.0, 0.1, 0.3)
_BY_IDENTIFIER = "identifier-index"


class DynamoAliases:
    """See Table. Reads are consistent but for `identified`, whose index may be late.

    A search that names no domain reads the whole table, at most 4 MB for one page.
    """

    def __init__(self, table: DynamoTable, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._table = table
        self._pause = pause
        self._domains = dynamolists.domains(table)
        self._destinations = dynamolists.destinations(table)
        self._recent = Recent()

    def get(self, local: str, domain: str) -> Alias | None:
        item = self._item(local, domain)
        return None if item is None else alias_of(item)

    def identified(self, identifier: str) -> Alias | None:
        if not identifier or not identifier.isascii():
            return None
        for seconds in _LATENESS:
            if seconds:
                self._pause(seconds)
            for local, domain in self._addresses(identifier):
                found = self.get(local, domain)
                if found is not None and found.identifier == identifier:
                    return found
        return None

    def find(self, query: Query, *, limit: int, after: str = "") -> Page:
        limit = max(1, min(limit, MOST_ROWS))
        found: list[Alias] = []
        start = _start(query, after)
        for _ in range(_REQUESTS):
            answer = self._page(query, start, limit)
            start = answer.get("LastEvaluatedKey")
            for item in answer.get("Items", ()):
                alias = alias_of(item)
                if alias.domain == CONFIG or not query.means(alias):
                    continue
                if len(found) == limit:
                    return Page(tuple(found), cursor.written(found[-1].domain, found[-1].local))
                found.append(alias)
            if not start or len(found) == limit:
                break
        return Page(tuple(found), cursor.written(text(start, "sub_domain"), text(start, "alias_address")) if start else "")

    def add(self, alias: Alias) -> Alias:
        checked_alias(alias)
        first = put(alias)
        if any(self._is_at(alias.identifier, *address) for address in self._addresses(alias.identifier)):
            raise Taken
        try:
            self._table.write("put_item", **first)
        except ConditionFailed:
            raise Taken from None
        self._recent.keep(alias)
        return alias_of(first["Item"])

    def add_all(self, aliases: Sequence[Alias]) -> Sequence[Alias]:
        for alias in aliases:
            checked_alias(alias)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [alias for alias, added in zip(aliases, pool.map(self._is_added, aliases), strict=True) if not added]

    def change(self, old: Alias, new: Alias) -> Alias:
        checked_alias(new)
        for item in self._tries(old):
            try:
                written = (
                    self._renamed(item, new) if (new.local, new.domain) != (old.local, old.domain) else self._updated(item, new)
                )
            except ConditionFailed:
                continue
            self._recent.keep(new)
            return alias_of(written)
        raise AssertionError("tries end by an error")

    def remove(self, alias: Alias) -> None:
        for item in self._tries(alias):
            try:
                self._table.write("delete_item", **delete(item))
                return
            except ConditionFailed:
                continue

    def count_use(self, local: str, domain: str) -> None:
        if _is_key(local, domain):
            try:
                self._table.write(
                    "update_item",
                    Key=key(local, domain),
                    UpdateExpression="ADD use_count :one",
                    ConditionExpression="attribute_exists(sub_domain)",
                    ExpressionAttributeValues={":one": {"N": "1"}},
                )
            except ConditionFailed:
                return

    def domain(self, name: str) -> Domain | None:
        return next((one for one in self.domains() or () if one.name == name), None)

    def destination(self, address: str) -> DestinationRecord | None:
        return next((one for one in self.destinations() if one.address == address), None)

    def domains(self) -> Sequence[Domain] | None:
        return self._domains.all()

    def add_domain(self, domain: Domain) -> Domain:
        checked_domain(domain)
        return self._domains.add(domain)

    def change_domain(self, old: Domain, new: Domain) -> Domain:
        checked_domain(new)
        return self._domains.change(old, new)

    def remove_domain(self, domain: Domain) -> None:
        self._domains.remove(domain)

    def destinations(self) -> Sequence[DestinationRecord]:
        return self._destinations.all() or ()

    def add_destination(self, destination: DestinationRecord) -> DestinationRecord:
        checked_destination(destination)
        return self._destinations.add(destination)

    def change_destination(self, old: DestinationRecord, new: DestinationRecord) -> DestinationRecord:
        checked_destination(new)
        return self._destinations.change(old, new)

    def remove_destination(self, destination: DestinationRecord) -> None:
        self._destinations.remove(destination)

    def _is_added(self, alias: Alias) -> bool:
        try:
            self.add(alias)
        except Taken:
            return False
        return True

    def _item(self, local: str, domain: str) -> Item | None:
        return self._table.get(key(local, domain)) if _is_key(local, domain) else None

    def _tries(self, old: Alias) -> Iterator[Item]:
        """The item of `old`, again and again, as long as it is that one. Raises NoSuchRow, Changed, and in the end Limited."""
        for _ in range(_TRIES):
            item = self._item(old.local, old.domain)
            if item is None:
                raise NoSuchRow
            now = alias_of(item)
            if _witnesses(now) != _witnesses(old):
                raise Changed
            yield item
        raise Limited("somebody else is changing this entry, try again later")

    def _updated(self, item: Item, new: Alias) -> Item:
        written: Item = self._table.write("update_item", **update(item, new))["Attributes"]
        return written

    def _renamed(self, item: Item, new: Alias) -> Item:
        first = put(new, item)
        try:
            self._table.transact(("Put", first), ("Delete", delete(item, counted=True)))
        except ConditionFailed as error:
            if 0 in error.failed:
                raise Taken from None
            raise
        written: Item = first["Item"]
        return written

    def _addresses(self, identifier: str) -> Iterator[tuple[str, str]]:
        if (known := self._recent.address(identifier)) is not None:
            yield known
        answer = self._table.read(
            "query",
            IndexName=_BY_IDENTIFIER,
            KeyConditionExpression="identifier = :identifier",
            ExpressionAttributeValues={":identifier": {"S": identifier}},
        )
        for item in answer.get("Items", ()):
            yield text(item, "alias_address"), text(item, "sub_domain")

    def _is_at(self, identifier: str, local: str, domain: str) -> bool:
        found = self.get(local, domain)
        return found is not None and found.identifier == identifier

    def _page(self, query: Query, start: Item | None, limit: int) -> Any:
        said: dict[str, Any] = {"ConsistentRead": True}
        if start:
            said["ExclusiveStartKey"] = start
        if query == Query(domain=query.domain):
            said["Limit"] = limit
        if query.domain is None:
            return self._table.read("scan", **said)
        values = {":domain": {"S": query.domain}}
        return self._table.read(
            "query", KeyConditionExpression="sub_domain = :domain", ExpressionAttributeValues=values, **said
        )


def _start(query: Query, after: str) -> Item | None:
    if not after:
        return None
    domain, local = cursor.read(after)
    if query.domain not in (None, domain):
        raise Malformed("the list cannot be continued from there; begin it anew")
    return key(local, domain)


def _witnesses(alias: Alias) -> tuple[int, str, int, int]:
    return alias.version, alias.identifier, alias.created, alias.modified


def _is_key(local: str, domain: str) -> bool:
    return bool(local and domain and (local + domain).isascii() and domain != CONFIG)
