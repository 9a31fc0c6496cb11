"""What a table said is believed for a while, but what it did not know is asked for again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sesmail.aliases import cached
from sesmail.aliases.cached import Cached
from sesmail.aliases.records import DestinationRecord, Domain
from sesmail.aliases.sqlite import SqliteTable
from tests.aliases.table_contract import alias


@pytest.fixture
def table(tmp_path: Path) -> Iterator[SqliteTable]:
    table = SqliteTable(f"{tmp_path}/aliases.db")
    yield table
    table.close()


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_an_alias_is_believed_for_so_long_and_no_longer(table: SqliteTable) -> None:
    clock = Clock()
    known = Cached(table, seconds=5, now=clock)
    first = table.add(alias())
    assert known.get("bob", "example.com") == first
    second = table.change(first, replace(first, active=False))
    clock.seconds += 4.9
    assert known.get("bob", "example.com") == first
    clock.seconds += 0.1
    assert known.get("bob", "example.com") == second


def test_what_was_not_there_is_found_as_soon_as_it_is(table: SqliteTable) -> None:
    known = Cached(table, seconds=5, now=Clock())
    assert known.get("bob", "example.com") is None
    assert known.domains() is None
    first, domain = table.add(alias()), table.add_domain(Domain("example.com"))
    assert known.get("bob", "example.com") == first
    assert known.domains() == (domain,)


def test_what_is_to_be_forgotten_is_asked_for_again_also_what_was_being_asked_for(table: SqliteTable, tmp_path: Path) -> None:
    known = Cached(table, seconds=3600, now=Clock())
    first = table.add(alias())
    assert known.get("bob", "example.com") == first
    second = table.change(first, replace(first, active=False))
    known.forget()
    assert known.get("bob", "example.com") == second

    class Slow(SqliteTable):
        def domains(self) -> tuple[Domain, ...]:
            late.forget()
            return (Domain("old.example"),)

    late = Cached(Slow(f"{tmp_path}/other.db"), seconds=3600, now=Clock())
    assert late.domains() == (Domain("old.example"),)
    assert late._kept == {}


def test_domains_and_destinations_are_believed_too(table: SqliteTable) -> None:
    clock = Clock()
    known = Cached(table, seconds=5, now=clock)
    domain = table.add_domain(Domain("example.com"))
    away = table.add_destination(DestinationRecord("bob@example.net"))
    assert (known.domains(), known.destination("bob@example.net")) == ((domain,), away)
    closed = table.change_domain(domain, replace(domain, active=False))
    gone = table.change_destination(away, replace(away, active=False))
    assert (known.domains(), known.destination("bob@example.net")) == ((domain,), away)
    clock.seconds += 6
    assert (known.domains(), known.destination("bob@example.net")) == ((closed,), gone)


def test_the_oldest_answers_are_forgotten_first(table: SqliteTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "MOST", 3)
    known = Cached(table, seconds=5, now=Clock())
    made = [table.add(alias(f"a{number}@example.com")) for number in range(4)]
    for one in made:
        assert known.get(one.local, one.domain) == one
    for one in made:
        table.remove(one)
    assert [known.get(one.local, one.domain) for one in made] == [None, *made[1:]]


def test_uses_are_counted_in_the_table_itself(table: SqliteTable) -> None:
    known = Cached(table, seconds=5, now=Clock())
    table.add(alias())
    for _ in range(2):
        known.count_use("bob", "example.com")
    found = table.get("bob", "example.com")
    assert found is not None
    assert found.use_count == 2
