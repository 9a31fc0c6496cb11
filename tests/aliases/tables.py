"""Real tables of aliases, opened by name, so that another process can open the same one: ``sqlite:PATH``, ``dynamodb:TABLE@ENDPOINT``."""

from __future__ import annotations

import itertools
from typing import Any

import boto3

from sesmail.aliases.dynamodb import DynamoAliases
from sesmail.aliases.sqlite import SqliteTable
from sesmail.aliases.table import Table
from sesmail.aws.dynamodb import DynamoTable, TablePlace
from tests.servers import moto

REGION = "us-east-1"
_numbers = itertools.count(1)


def opened(spec: str) -> Table:
    """Another table object each time."""
    kind, _, rest = spec.partition(":")
    if kind == "sqlite":
        return SqliteTable(rest)
    name, _, endpoint = rest.partition("@")
    return DynamoAliases(DynamoTable(TablePlace(table=name, region=REGION, endpoint=endpoint)))


def client(endpoint: str) -> Any:
    return boto3.client("dynamodb", endpoint_url=endpoint, region_name=REGION)


def new_dynamodb() -> str:
    """A table as tacomail has it, empty, at the one server of this process."""
    endpoint, name = moto.running(), f"aliases-{next(_numbers)}"
    strings = ("sub_domain", "alias_address", "application", "identifier")
    client(endpoint).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in strings],
        KeySchema=_keys("sub_domain", "alias_address"),
        GlobalSecondaryIndexes=[
            {"IndexName": "identifier-index", "KeySchema": _keys("identifier"), "Projection": {"ProjectionType": "ALL"}},
            {
                "IndexName": "application-identifier-index",
                "KeySchema": _keys("application", "identifier"),
                "Projection": {"ProjectionType": "ALL"},
            },
        ],
    )
    return f"dynamodb:{name}@{endpoint}"


def _keys(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]
