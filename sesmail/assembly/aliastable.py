"""The table of aliases that the configuration names."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from sesmail.aliases.cached import Cached
from sesmail.aliases.sqlite import SqliteTable
from sesmail.aliases.table import Counted, Table
from sesmail.assembly.whom import whom
from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.config.table import Config
from sesmail.errors import MailError

if TYPE_CHECKING:
    from sesmail.aws.dynamodb import TablePlace

_CONNECTIONS = 64


def alias_table(config: Config, end: ExitStack | None = None) -> Table | None:
    """None where aliases are kept in none. What is to be closed at the end goes into `end`; that takes milliseconds.

    Raises ConfigError for a file that cannot be used. DynamoDB is first asked when the table is.
    """
    making = {"none": lambda: None, "sqlite": lambda: _sqlite(config, end), "dynamodb": lambda: _dynamodb(config)}
    return making[config.aliases.table]()


def looked_up(config: Config, table: Table) -> Counted:
    """The table for those who look up what mail is for: DynamoDB is not asked for the same thing all the time."""
    given = config.aliases
    if given.table != "dynamodb" or not given.cache:
        return table
    return Cached(table, seconds=given.cache, now=time.monotonic)


def _sqlite(config: Config, end: ExitStack | None) -> Table:
    try:
        table = SqliteTable(config.aliases.file)
    except MailError as error:
        raise ConfigError([Problem(Where(config.source or "configuration"), "aliases.file", str(error))]) from error
    if end is not None:
        end.callback(table.close)
    return table


def _dynamodb(config: Config) -> Table:
    # Only who has such a table waits until botocore is there.
    from sesmail.aliases.dynamodb import DynamoAliases
    from sesmail.aws.dynamodb import DynamoTable

    return DynamoAliases(DynamoTable(table_place(config), connections=_CONNECTIONS))


def table_place(config: Config) -> TablePlace:
    """Which table of DynamoDB, and as whom."""
    from sesmail.aws.dynamodb import TablePlace

    given = config.aliases
    return TablePlace(
        table=given.dynamodb_table or "",
        region=given.region or config.storage.region,
        endpoint=given.endpoint,
        **whom(given, config),
    )
