"""What every table of aliases promises; the tests of each kind of table are this class with a `spec` of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from sesmail.aliases.records import Alias, DestinationRecord, Domain
from sesmail.aliases.sqlite import SqliteTable
from sesmail.aliases.table import Changed, NoSuchRow, Page, Query, Table, Taken
from sesmail.errors import Malformed
from tests.aliases.tables import opened


def alias(address: str = "bob@example.com", **more: Any) -> Alias:
    local, _, domain = address.partition("@")
    values: dict[str, Any] = {"destinations": ("S3",), "identifier": f"id-{address}", "created": 100, "modified": 200}
    return Alias(local, domain, **(values | more))


def all_of(table: Table, query: Query, limit: int = 1000) -> list[Alias]:
    """Page after page."""
    page = table.find(query, limit=limit)
    found = list(page.aliases)
    while page.after:
        page = table.find(query, limit=limit, after=page.after)
        assert len(page.aliases) <= limit
        found += page.aliases
    return found


def addresses(page: Page | list[Alias]) -> list[str]:
    return [one.address for one in (page.aliases if isinstance(page, Page) else page)]


def at_once(*calls: Any) -> None:
    """Run them in threads that begin together."""
    begin = threading.Barrier(len(calls))

    def run(call: Any) -> None:
        begin.wait()
        call()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class TableContract:
    """`spec` names an empty table; see tests.aliases.tables."""

    @pytest.fixture
    def table(self, spec: str) -> Iterator[Table]:
        with ExitStack() as end:
            table = opened(spec)
            if isinstance(table, SqliteTable):
                end.callback(table.close)
            yield table

    def test_an_alias_comes_back_as_it_was_added(self, table: Table) -> None:
        whole = alias(
            destinations=("tom@example.net", "S3"), active=False, ignore=True, owner="tom", description="für Käse", use_count=3
        )
        assert table.add(whole) == replace(whole, version=1)
        assert table.get("bob", "example.com") == replace(whole, version=1)
        assert table.identified(whole.identifier) == replace(whole, version=1)

    def test_what_is_not_there_is_none(self, table: Table) -> None:
        table.add(alias())
        assert table.get("bob", "example.net") is None
        assert table.get("bo", "example.com") is None
        assert table.get("", "example.com") is None
        assert table.get("bob", "") is None
        assert table.identified("nobody") is None
        assert table.identified("") is None

    def test_an_address_is_given_away_once(self, table: Table) -> None:
        first = table.add(alias())
        with pytest.raises(Taken):
            table.add(alias(identifier="another", owner="eve"))
        assert table.get("bob", "example.com") == first

    def test_an_identifier_is_given_away_once(self, table: Table) -> None:
        table.add(alias())
        with pytest.raises(Taken):
            table.add(alias("tim@example.com", identifier="id-bob@example.com"))
        assert table.get("tim", "example.com") is None

    def test_of_many_those_are_added_that_are_not_taken(self, table: Table) -> None:
        old = table.add(alias("a1@example.com"))
        many = [alias(f"a{number}@example.com", owner="new") for number in range(5)]
        many.append(alias("other@example.com", identifier="id-a1@example.com"))
        assert addresses(list(table.add_all(many))) == ["a1@example.com", "other@example.com"]
        assert table.get("a1", "example.com") == old
        assert len(all_of(table, Query())) == 5
        with pytest.raises(Malformed):
            table.add_all([alias("late@example.com"), alias("Bad@example.com")])
        assert table.get("late", "example.com") is None

    @pytest.mark.parametrize(
        "bad",
        [
            alias("Bob@example.com"),
            alias("bob@EXAMPLE.com"),
            alias("bob@bücher.example"),
            alias("bob smith@example.com"),
            alias("bob..smith@example.com"),
            alias("bob@localhost"),
            alias("sub_domains@tacomail-config"),
            alias("@example.com"),
            alias(f"{'b' * 65}@example.com"),
            alias(identifier=""),
            alias(destinations=()),
            alias(destinations=("Tom@example.com",)),
            alias(destinations=("nonsense",)),
            alias(destinations=("S3", "S3")),
            alias(destinations=tuple(f"x{number}@example.com" for number in range(51))),
            alias(description="two\nlines"),
            alias(description="x" * 1001),
            alias(description="\ud800"),
            alias(owner="tom\0"),
        ],
    )
    def test_what_no_table_takes_is_refused(self, table: Table, bad: Alias) -> None:
        with pytest.raises(Malformed):
            table.add(bad)
        good = table.add(alias("good@example.com"))
        with pytest.raises(Malformed):
            table.change(good, bad)
        assert all_of(table, Query()) == [good]

    def test_a_change_counts_the_version(self, table: Table) -> None:
        first = table.add(alias())
        second = table.change(first, replace(first, ignore=True, destinations=("tom@example.com", "S3"), modified=300))
        assert second == replace(first, ignore=True, destinations=("tom@example.com", "S3"), modified=300, version=2)
        third = table.change(second, replace(second, destinations=("tim@example.com",), owner="", description=""))
        assert table.get("bob", "example.com") == third == replace(second, destinations=("tim@example.com",), version=3)

    def test_a_change_of_what_has_changed_since_changes_nothing(self, table: Table) -> None:
        first = table.add(alias())
        second = table.change(first, replace(first, active=False))
        for new in (replace(first, description="late"), replace(first, local="tim")):
            with pytest.raises(Changed):
                table.change(first, new)
        with pytest.raises(Changed):
            table.remove(first)
        assert all_of(table, Query()) == [second]

    def test_what_was_removed_and_made_anew_is_another_one(self, table: Table) -> None:
        old = table.add(alias())
        table.remove(old)
        new = table.add(alias(identifier="new", created=500, modified=500))
        with pytest.raises(Changed):
            table.change(old, replace(old, description="mine"))
        with pytest.raises(Changed):
            table.remove(old)
        assert table.get("bob", "example.com") == new

    def test_what_is_gone_cannot_be_changed(self, table: Table) -> None:
        gone = table.add(alias())
        table.remove(gone)
        assert table.get("bob", "example.com") is None
        with pytest.raises(NoSuchRow):
            table.remove(gone)
        for new in (gone, replace(gone, local="tim")):
            with pytest.raises(NoSuchRow):
                table.change(gone, new)
        assert all_of(table, Query()) == []

    def test_a_renamed_alias_keeps_all_but_its_address(self, table: Table) -> None:
        first = table.add(alias(ignore=True, owner="tom", use_count=7, destinations=("a@example.com", "S3")))
        renamed = table.change(first, replace(first, local="tim", domain="example.org", modified=300))
        assert renamed == replace(first, local="tim", domain="example.org", modified=300, version=2)
        assert table.get("tim", "example.org") == table.identified(first.identifier) == renamed
        assert table.get("bob", "example.com") is None

    def test_a_rename_onto_another_alias_loses_neither(self, table: Table) -> None:
        bob, tim = table.add(alias()), table.add(alias("tim@example.com"))
        with pytest.raises(Taken):
            table.change(bob, replace(bob, local="tim"))
        assert all_of(table, Query(domain="example.com")) == [bob, tim]

    def test_of_two_who_rename_onto_one_address_one_succeeds(self, spec: str, table: Table) -> None:
        for number in range(5):
            one, two = (table.add(alias(f"{name}{number}@example.com")) for name in ("one", "two"))
            ends: list[type[Exception] | None] = []

            def rename(old: Alias, number: int = number, ends: list[type[Exception] | None] = ends) -> None:
                try:
                    opened(spec).change(old, replace(old, local=f"same{number}"))
                    ends.append(None)
                except Exception as error:
                    ends.append(type(error))

            at_once(lambda one=one: rename(one), lambda two=two: rename(two))
            assert sorted(ends, key=str) == [Taken, None] or sorted(ends, key=str) == [None, Taken]
            left = {found.identifier for found in all_of(table, Query(text=f"{number}@"))}
            assert left == {one.identifier, two.identifier}

    def test_two_writers_of_one_alias_lose_no_change(self, spec: str, table: Table) -> None:
        table.add(alias(description="0"))
        program = [sys.executable, "-m", "tests.aliases.writing", spec, "20"]
        processes = [subprocess.Popen(program) for _ in range(2)]
        assert [process.wait(90) for process in processes] == [0, 0]
        found = table.get("bob", "example.com")
        assert found is not None
        assert (found.description, found.version) == ("40", 41)

    def test_uses_are_counted_beside_changes(self, spec: str, table: Table) -> None:
        first = table.add(alias())

        def count() -> None:
            for _ in range(10):
                opened(spec).count_use("bob", "example.com")

        def change() -> None:
            now = first
            for number in range(5):
                now = table.change(now, replace(now, description=str(number)))
            now = table.change(now, replace(now, use_count=0))
            assert now.version == 7

        at_once(count, count, change)
        found = table.get("bob", "example.com")
        assert found is not None
        assert (found.use_count, found.version, found.description) == (20, 7, "4")

    def test_uses_counted_while_it_is_renamed_are_kept(self, spec: str, table: Table) -> None:
        first = table.add(alias())
        before = replace(first)
        for _ in range(3):
            table.count_use("bob", "example.com")
        renamed = table.change(before, replace(before, local="tim"))
        table.count_use("bob", "example.com")
        table.count_use("nobody", "example.com")
        table.count_use("sub_domains", "tacomail-config")
        assert renamed.use_count == 3
        assert addresses(all_of(table, Query())) == ["tim@example.com"]

    def test_pages_have_every_row_once(self, table: Table) -> None:
        made = [table.add(alias(f"a{number:03}@{domain}")) for domain in ("example.com", "example.org") for number in range(23)]
        for limit in (1, 5, 46, 1000):
            found = all_of(table, Query(), limit)
            assert sorted(addresses(found)) == sorted(addresses(made))
            assert all_of(table, Query(domain="example.org"), limit) == made[23:]
        assert all_of(table, Query(domain="example.net"), 5) == []

    def test_a_page_that_is_just_full_ends_the_list(self, table: Table) -> None:
        made = [table.add(alias(f"a{number}@example.com")) for number in range(4)]
        assert addresses(all_of(table, Query(domain="example.com"), 4)) == addresses(made)
        assert len(table.find(Query(domain="example.com"), limit=3).aliases) == 3

    def test_each_part_of_a_query_counts(self, table: Table) -> None:
        table.add(alias("bob@example.com"))
        table.add(alias("bobby@example.org", owner="tom", destinations=("tom@example.net", "S3")))
        table.add(alias("shop@example.com", active=False, owner="tom"))
        table.add(alias("news@example.com", ignore=True, owner="eve", destinations=("tom@example.net",)))

        def found(**query: Any) -> list[str]:
            return sorted(one.local for one in all_of(table, Query(**query)))

        assert found(text="bob") == ["bob", "bobby"]
        assert found(text="y@example.o") == ["bobby"]
        assert found(text="%") == found(text="_") == found(text="bob@example.org") == []
        assert found(domain="example.com") == ["bob", "news", "shop"]
        assert found(destination="S3") == ["bob", "bobby", "shop"]
        assert found(destination="tom@example.net") == ["bobby", "news"]
        assert found(owner="tom") == ["bobby", "shop"]
        assert found(owner="") == ["bob"]
        assert found(active=True) == ["bob", "bobby", "news"]
        assert found(active=False) == ["shop"]
        assert found(ignore=True) == ["news"]
        assert found(ignore=False) == ["bob", "bobby", "shop"]
        assert found(text="o", owner="tom", active=True, ignore=False, destination="S3", domain="example.org") == ["bobby"]

    @pytest.mark.parametrize("bad", ["x", "!", "ü", "W10=", "WyJhIiwgMV0=", "WyIiLCAiIl0=", "x" * 3000, "bnVsbA=="])
    def test_a_list_is_not_continued_from_nowhere(self, table: Table, bad: str) -> None:
        with pytest.raises(Malformed):
            table.find(Query(), limit=10, after=bad)

    def test_domains_that_were_never_configured_are_not_an_empty_list(self, table: Table) -> None:
        assert table.domains() is None
        domain = table.add_domain(Domain("example.com", description="ours", catch_all=("S3", "tom@example.net"), created=5))
        assert domain.version == 1
        assert table.domains() == (domain,)
        table.remove_domain(domain)
        assert table.domains() == ()

    def test_domains_are_changed_by_version(self, table: Table) -> None:
        table.add_domain(Domain("example.org"))
        first = table.add_domain(Domain("example.com"))
        with pytest.raises(Taken):
            table.add_domain(Domain("example.com", active=False))
        second = table.change_domain(first, replace(first, active=False, catch_all=("S3",)))
        assert second == Domain("example.com", active=False, catch_all=("S3",), version=2)
        assert table.domains() == (second, Domain("example.org", version=1))
        with pytest.raises(Changed):
            table.change_domain(first, replace(first, description="late"))
        with pytest.raises(Changed):
            table.remove_domain(first)
        table.remove_domain(second)
        for call in (lambda: table.remove_domain(second), lambda: table.change_domain(second, second)):
            with pytest.raises(NoSuchRow):
                call()

    @pytest.mark.parametrize(
        "bad", [Domain("Example.com"), Domain("localhost"), Domain(""), Domain("a..b"), Domain("example.com", catch_all=("x",))]
    )
    def test_what_is_no_domain_is_refused(self, table: Table, bad: Domain) -> None:
        with pytest.raises(Malformed):
            table.add_domain(bad)
        assert table.domains() is None

    def test_domains_added_at_once_are_all_there_once(self, spec: str, table: Table) -> None:
        ends: list[str] = []

        def add(name: str) -> None:
            try:
                opened(spec).add_domain(Domain(name))
                ends.append(name)
            except Taken:
                ends.append("taken")

        at_once(*(lambda name=name: add(name) for name in ("a.example", "b.example", "same.example", "same.example")))
        assert [domain.name for domain in table.domains() or ()] == ["a.example", "b.example", "same.example"]
        assert sorted(ends) == ["a.example", "b.example", "same.example", "taken"]

    def test_destinations_are_changed_by_version(self, table: Table) -> None:
        assert table.destinations() == ()
        first = table.add_destination(DestinationRecord("tom@example.net", created=5, modified=6))
        inner = table.add_destination(DestinationRecord("S3", verified=True))
        with pytest.raises(Taken):
            table.add_destination(DestinationRecord("tom@example.net"))
        second = table.change_destination(first, replace(first, active=False, verified=True))
        assert second == DestinationRecord("tom@example.net", False, True, 5, 6, 2)
        assert table.destinations() == (inner, second)
        with pytest.raises(Changed):
            table.remove_destination(first)
        table.remove_destination(second)
        for call in (lambda: table.remove_destination(second), lambda: table.change_destination(second, second)):
            with pytest.raises(NoSuchRow):
                call()
        with pytest.raises(Malformed):
            table.add_destination(DestinationRecord("Tom@example.net"))
        assert table.destinations() == (inner,)

    def test_domains_and_destinations_are_no_aliases(self, table: Table) -> None:
        table.add_domain(Domain("example.com"))
        table.add_destination(DestinationRecord("tom@example.net"))
        assert all_of(table, Query()) == all_of(table, Query(text="a")) == all_of(table, Query(domain="tacomail-config")) == []
        assert table.get("sub_domains", "tacomail-config") is None
