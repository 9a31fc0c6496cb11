"""The table of aliases that the configuration names."""

from __future__ import annotations

from contextlib import ExitStack

from sesmail.aliases.sqlite import SqliteTable
from sesmail.aliases.table import Table
from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.config.table import Config
from sesmail.errors import MailError


def alias_table(config: Config, end: ExitStack | None = None) -> Table | None:
    """None where aliases are kept in none. What is to be closed at the end goes into `end`; that takes milliseconds.

    Raises ConfigError for a file that cannot be used. DynamoDB is first asked when the table is.
    """
    if config.aliases.table == "none":
        return None
    try:
        table = SqliteTable(config.aliases.file)
    except MailError as error:
        raise ConfigError([Problem(Where(config.source or "configuration"), "aliases.file", str(error))]) from error
    if end is not None:
        end.callback(table.close)
    return table
