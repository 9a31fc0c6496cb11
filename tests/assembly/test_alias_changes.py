"""Before a table that tacomail kept is used, it is told what would become of its mail that did not before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sesmail.aliases.records import DestinationRecord, Domain
from sesmail.assembly.aliaschanges import changes
from sesmail.config.load import from_text
from sesmail.config.table import Config
from tests.assembly.test_aliases_of_config import House

_TEXT = """
storage: {{url: "file://{folder}/store"}}
mailboxes: {{domains: [example.com]}}
aliases: {{table: sqlite, file: "{folder}/aliases.db"{more}}}
routing: {{separators: ["+", "--", "#", "="], forward_from: f@example.com, deny: [evil@shop.example]}}
tls: {{self_signed: true}}
"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.end.close()


def config(folder: Path, more: str = "") -> Config:
    return from_text(_TEXT.format(folder=folder, more=more), "test", {"HOME": str(folder)})


def test_a_table_that_means_the_same_has_nothing_to_tell(house: House, tmp_path: Path) -> None:
    house.alias("live@shop.example", "S3")
    house.alias("own@shop.example", "tom@example.com")
    house.alias("off@shop.example", active=False)
    house.alias("quiet@shop.example", ignore=True)
    assert list(changes(config(tmp_path, ", mailbox: tom@example.com"), house.table)) == []


def test_everything_that_changes_is_told_with_its_reason(house: House, tmp_path: Path) -> None:
    house.alias("old@shop.example", "S3")
    house.alias("away@shop.example", "friend@elsewhere.example", "tom@example.com")
    house.alias("lost@shop.example", "gone@example.com")
    house.alias("evil@shop.example", "tom@example.com")
    house.alias("shut@shut.example", "tom@example.com")
    house.alias("deaf@shop.example", "ann@example.com")
    house.table.add_domain(Domain("shut.example", active=False))
    house.table.add_domain(Domain("shop.example"))
    house.table.add_destination(DestinationRecord("ann@example.com", active=False))
    first, *rest = changes(config(tmp_path), house.table)
    assert "aliases.mailbox" in first
    assert rest == [
        "away@shop.example: mail was delivered and is forwarded to friend@elsewhere.example, delivered",
        "deaf@shop.example: mail was delivered and is refused (inactive)",
        "evil@shop.example: mail was delivered and is refused (denied)",
        "lost@shop.example: mail was delivered and is refused (unknown-recipient)",
        "old@shop.example: mail was delivered and is held (rule)",
        "shut@shut.example: mail was delivered and is refused (inactive)",
    ]


def test_separators_that_would_be_missed_are_told_first(house: House, tmp_path: Path) -> None:
    given = config(tmp_path, ", mailbox: tom")
    fewer = replace(given, routing=replace(given.routing, separators=("+", "--")))
    (line,) = changes(fewer, house.table)
    assert "# or =" in line
