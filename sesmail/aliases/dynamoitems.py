"""Aliases as tacomail writes them into DynamoDB, read whatever is missing, and written so that tacomail can read them.

Beside tacomail's attributes there are `owner`, `description`, `version`, and `destinations`, a list, where there are several.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from sesmail.aliases.records import IN_STORE, Alias
from sesmail.aws.dynamodb import Item

APPLICATION = "tacomail"
CONFIG = "tacomail-config"
"""The domain of what is no alias."""


def key(local: str, domain: str) -> Item:
    """What an item is found by."""
    return {"sub_domain": {"S": domain}, "alias_address": {"S": local}}


def alias_of(item: Item) -> Alias:
    """What the item says; its key is not put into lower case, for the item could not be found again. What it lacks is as tacomail would
    take it: without `active_alias` it is not active."""
    return Alias(
        local=text(item, "alias_address"),
        domain=text(item, "sub_domain"),
        destinations=_destinations(item),
        identifier=text(item, "identifier"),
        active=switch(item, "active_alias"),
        ignore=switch(item, "ignore_alias"),
        owner=text(item, "owner"),
        description=text(item, "description"),
        created=number(item, "created_datetime"),
        modified=number(item, "modified_datetime"),
        use_count=number(item, "use_count"),
        version=number(item, "version"),
    )


def attributes(alias: Alias) -> Item:
    """All but key and `use_count`. An attribute without a value is to be removed."""
    several = len(alias.destinations) > 1
    return {
        "application": {"S": APPLICATION},
        "full_address": {"S": alias.address},
        "identifier": {"S": alias.identifier},
        "destination": {"S": alias.destinations[0]},
        # Where there is one, tacomail may change it, and a list beside it would be out of date.
        "destinations": {"L": [{"S": one} for one in alias.destinations]} if several else {},
        "active_alias": {"BOOL": alias.active},
        "ignore_alias": {"BOOL": alias.ignore},
        "owner": {"S": alias.owner} if alias.owner else {},
        "description": {"S": alias.description} if alias.description else {},
        "created_datetime": {"N": str(alias.created)},
        "modified_datetime": {"N": str(alias.modified)},
        "version": {"N": str(alias.version)},
    }


def changed(item: Item, alias: Alias) -> Item:
    """The item with the key and attributes of the alias, and with whatever else it has."""
    return {name: value for name, value in {**item, **key(alias.local, alias.domain), **attributes(alias)}.items() if value}


def text(item: Item, name: str) -> str:
    """``""`` for what is none."""
    return str(item.get(name, {}).get("S", ""))


def switch(item: Item, name: str, default: bool = False) -> bool:
    """`default` for what is none."""
    return bool(item.get(name, {}).get("BOOL", default))


def number(item: Item, name: str) -> int:
    """A whole one; 0 for what is none."""
    try:
        return int(Decimal(item.get(name, {}).get("N", "0")))
    except (InvalidOperation, ValueError, OverflowError):
        return 0


def texts(value: dict[str, Any]) -> tuple[str, ...]:
    """Of a list or a set of strings."""
    listed = [str(one["S"]) for one in value.get("L", ()) if "S" in one]
    return tuple(listed or sorted(map(str, value.get("SS", ()))))


def _destinations(item: Item) -> tuple[str, ...]:
    # tacomail's own `destinations` is a map that nothing ever read.
    first, several = text(item, "destination"), texts(item.get("destinations", {}))
    found = several if several and several[0] == first else (first,)
    return tuple(spelt(one) for one in found if one)


def spelt(destination: str) -> str:
    """A destination as ours are spelt."""
    return IN_STORE if destination.upper() == IN_STORE else destination.lower()
