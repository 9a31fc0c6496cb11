"""The table of aliases is the one that the configuration names."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack
from pathlib import Path

import pytest

from sesmail.aliases.cached import Cached
from sesmail.aliases.dynamodb import DynamoAliases
from sesmail.aliases.sqlite import SqliteTable
from sesmail.assembly.aliastable import alias_table, looked_up
from sesmail.config.load import from_text
from sesmail.config.problems import ConfigError
from sesmail.errors import Unavailable
from tests.aliases.table_contract import alias
from tests.aliases.tables import new_dynamodb


def test_none_is_none() -> None:
    assert alias_table(from_text("aliases: {table: none}", "sesmail.yaml", {})) is None


def test_a_file_is_closed_at_the_end_and_never_cached(tmp_path: Path) -> None:
    config = from_text(f"service: {{state_dir: {tmp_path}/state}}", "sesmail.yaml", {})
    with ExitStack() as end:
        table = alias_table(config, end)
        assert isinstance(table, SqliteTable)
        assert looked_up(config, table) is table
        table.add(alias())
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["aliases.db"]
    with pytest.raises(Unavailable):
        table.get("bob", "example.com")


def test_a_file_that_cannot_be_used_is_told_by_its_option(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    config = from_text(f"aliases: {{file: {tmp_path}/other.db}}", "sesmail.yaml", {})
    with pytest.raises(ConfigError, match=f"aliases.file: {tmp_path}/other.db is the file of another program"):
        alias_table(config)


def test_dynamodb_is_reached_where_the_configuration_says(tmp_path: Path) -> None:
    name, _, endpoint = new_dynamodb().removeprefix("dynamodb:").partition("@")
    text = f"aliases: {{table: dynamodb, dynamodb_table: {name}, region: us-east-1, endpoint: '{endpoint}', cache: CACHE}}"
    config = from_text(text.replace("CACHE", "5"), "sesmail.yaml", {})
    table = alias_table(config)
    assert isinstance(table, DynamoAliases)
    made = table.add(alias())
    known = looked_up(config, table)
    assert isinstance(known, Cached)
    assert known.get("bob", "example.com") == made
    assert looked_up(from_text(text.replace("CACHE", "0"), "sesmail.yaml", {}), table) is table
