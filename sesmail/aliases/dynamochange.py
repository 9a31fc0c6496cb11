"""Changes of one item in DynamoDB, on condition that it is as it was read. What others have in it
stays, but for a map `destinations`, which nothing ever read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sesmail.aliases.dynamoitems import attributes, changed, key, number, text
from sesmail.aliases.records import Alias
from sesmail.aws.dynamodb import Item

# tacomail does not count versions, but writes when it changed something.
_WITNESSES = ("version", "identifier", "created_datetime", "modified_datetime")


def put(alias: Alias, before: Item | None = None) -> dict[str, Any]:
    """A new item where there is none; `before` is the one that it takes the place of, whose uses it has."""
    uses = {"use_count": {"N": str(alias.use_count)}} if before is None else {}
    item = changed({**uses, **(before or {})}, replace(alias, version=_next(before)))
    return {"Item": item, "ConditionExpression": "attribute_not_exists(sub_domain)"}


def update(item: Item, alias: Alias) -> dict[str, Any]:
    """The item under the same address; the uses are left alone."""
    wanted = attributes(replace(alias, version=_next(item)))
    named = {f"#{number}": name for number, name in enumerate(wanted)}
    kept = {place: wanted[name] for place, name in named.items() if wanted[name]}
    sets = ", ".join(f"{place} = :{place[1:]}" for place in kept)
    gone = ", ".join(place for place in named if place not in kept)
    condition = _unchanged(item)
    return {
        "Key": _key(item),
        "UpdateExpression": f"SET {sets}" + (f" REMOVE {gone}" if gone else ""),
        "ConditionExpression": condition["ConditionExpression"],
        "ExpressionAttributeNames": {**named, **condition["ExpressionAttributeNames"]},
        "ExpressionAttributeValues": {f":{place[1:]}": value for place, value in kept.items()}
        | condition.get("ExpressionAttributeValues", {}),
        "ReturnValues": "ALL_NEW",
    }


def delete(item: Item, *, counted: bool = False) -> dict[str, Any]:
    """`counted`: only if its uses are the same, too."""
    return {"Key": _key(item), **_unchanged(item, ("use_count",) if counted else ())}


def _unchanged(item: Item, more: tuple[str, ...] = ()) -> dict[str, Any]:
    conditions, names, values = ["attribute_exists(sub_domain)"], {}, {}
    for name in (*_WITNESSES, *more):
        names[f"#was_{name}"] = name
        if name in item:
            conditions.append(f"#was_{name} = :was_{name}")
            values[f":was_{name}"] = item[name]
        else:
            conditions.append(f"attribute_not_exists(#was_{name})")
    said: dict[str, Any] = {"ConditionExpression": " AND ".join(conditions), "ExpressionAttributeNames": names}
    return said | ({"ExpressionAttributeValues": values} if values else {})


def _key(item: Item) -> Item:
    return key(text(item, "alias_address"), text(item, "sub_domain"))


def _next(item: Item | None) -> int:
    return 1 if item is None else number(item, "version") + 1
