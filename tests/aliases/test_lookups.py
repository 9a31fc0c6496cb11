"""What a table of aliases means for mail that comes in, and for people who send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from sesmail.aliases.lookups import IGNORE, INACTIVE, Reading, Uses, in_table, left_in_table, owners
from sesmail.aliases.model import UNKNOWN, AddressRules, Disposition, Model, Target, in_entries
from sesmail.aliases.records import Alias, DestinationRecord, Domain
from sesmail.aliases.sqlite import SqliteTable
from sesmail.errors import Unavailable

_TACOMAIL = ("+", "--", "#", "=")


@pytest.fixture
def table(tmp_path: Path) -> Iterator[SqliteTable]:
    made = SqliteTable(str(tmp_path / "aliases.db"))
    yield made
    made.close()


def put(
    table: SqliteTable, address: str, *destinations: str, active: bool = True, ignore: bool = False, owner: str = ""
) -> None:
    local, _, domain = address.rpartition("@")
    table.add(Alias(local, domain, destinations or ("tom@example.com",), str(uuid4()), active, ignore, owner))


def model(table: SqliteTable, reading: Reading | None = None, **rules: object) -> Model:
    reading = reading or Reading()
    return Model(AddressRules(**rules), [in_table(table, reading)], [left_in_table(table, reading)])  # type: ignore[arg-type]


def deliver(*texts: str, trusted: bool = False) -> tuple[Target, ...]:
    return tuple(Target(Disposition.DELIVER, text, trusted) for text in texts)


def test_an_alias_leads_to_all_its_destinations_without_any_trust(table: SqliteTable) -> None:
    put(table, "list@example.com", "tom@example.com", "friend@else.example", "S3")
    assert model(table).resolve("LIST@Example.COM") == deliver("tom@example.com", "friend@else.example", "S3")


def test_an_alias_leads_through_other_aliases(table: SqliteTable) -> None:
    put(table, "a@example.com", "b@example.com")
    put(table, "b@example.com", "tom@example.com")
    put(table, "c@example.com", "off@example.com")
    put(table, "off@example.com", active=False)
    assert model(table).resolve("a@example.com") == deliver("tom@example.com")
    assert model(table).resolve("c@example.com") == (INACTIVE,)


@pytest.mark.parametrize(
    ("active", "ignore", "wanted"), [(True, True, IGNORE), (False, False, INACTIVE), (False, True, INACTIVE)]
)
def test_an_alias_that_is_off_is_said_to_be(table: SqliteTable, active: bool, ignore: bool, wanted: Target) -> None:
    put(table, "shop@example.com", active=active, ignore=ignore)
    assert model(table).resolve("shop@example.com") == (wanted,)


@pytest.mark.parametrize(
    "address",
    ["shop+x@example.com", "shop--x#y@example.com", "shop=x@example.com", "shop@other.example", "SHOP+X@OTHER.example"],
)
def test_a_tag_and_another_name_of_the_domain_lead_to_the_same_alias(table: SqliteTable, address: str) -> None:
    put(table, "shop@example.com")
    rules = model(table, separators=_TACOMAIL, domain_aliases={"other.example": "example.com"})
    assert rules.resolve(address) == deliver("tom@example.com")


@pytest.mark.parametrize("address", ["prvs=0123=bob@example.com", "a--b@example.com", "x=y@example.com"])
def test_a_separator_in_the_name_of_an_alias_does_not_hide_it(table: SqliteTable, address: str) -> None:
    put(table, address)
    for bare in ("prvs@example.com", "a@example.com", "x@example.com"):
        put(table, bare, active=False)
    assert model(table, separators=_TACOMAIL).resolve(address) == deliver("tom@example.com")


def test_a_signed_sender_is_not_cut_into_the_name_of_an_alias(table: SqliteTable) -> None:
    put(table, "prvs@example.com")
    assert model(table, separators=_TACOMAIL).resolve("prvs=0123456789=bob@example.com") == (UNKNOWN,)


def test_what_is_not_registered_bounces_nothing(table: SqliteTable) -> None:
    put(table, "shop@example.com", "tom@example.com", "ann@example.com")
    assert table.domains() is None
    assert model(table, Reading(require_domain=True)).resolve("shop@example.com") == deliver(
        "tom@example.com", "ann@example.com"
    )
    table.add_domain(Domain("other.example"))
    assert model(table).resolve("shop@example.com") == deliver("tom@example.com", "ann@example.com")
    assert model(table, Reading(require_domain=True)).resolve("shop@example.com") == (INACTIVE,)


def test_an_alias_in_an_inactive_domain_is_inactive(table: SqliteTable) -> None:
    put(table, "shop@example.com")
    table.add_domain(Domain("example.com", active=False, catch_all=("tom@example.com",)))
    assert model(table).resolve("shop@example.com") == (INACTIVE,)
    assert model(table).resolve("anybody@example.com") == (UNKNOWN,)


def test_only_destinations_that_are_registered_as_inactive_get_nothing(table: SqliteTable) -> None:
    put(table, "list@example.com", "tom@example.com", "ann@example.com")
    put(table, "tom-only@example.com", "tom@example.com")
    table.add_destination(DestinationRecord("tom@example.com", active=False))
    table.add_destination(DestinationRecord("bob@example.com", active=True, verified=False))
    assert model(table).resolve("list@example.com") == deliver("ann@example.com")
    assert model(table).resolve("tom-only@example.com") == (INACTIVE,)


def test_the_catch_all_of_a_domain_comes_after_everything_else(table: SqliteTable) -> None:
    put(table, "off@example.com", active=False)
    table.add_domain(Domain("example.com", catch_all=("tom@example.com", "S3")))
    reading = Reading()
    account = in_entries({"ann@example.com": ["ann"]})
    found = Model(AddressRules(), [in_table(table, reading), account], [left_in_table(table, reading)])
    assert found.resolve("anybody+x@example.com") == deliver("tom@example.com", "S3")
    assert found.resolve("ann+x@example.com") == deliver("ann", trusted=True)
    assert found.resolve("off+x@example.com") == (INACTIVE,)
    assert found.resolve("anybody@elsewhere.example") == (UNKNOWN,)


def test_the_mailbox_of_older_tables_is_the_configured_one_or_the_owner_s(table: SqliteTable) -> None:
    put(table, "owned@example.com", "S3", owner="ann@example.com")
    put(table, "ownerless@example.com", "S3")
    configured = Reading(mailbox="tom@example.com")
    for address in ("owned@example.com", "ownerless@example.com"):
        assert model(table, configured).resolve(address) == deliver("mailbox:tom@example.com", trusted=True)
    assert model(table).resolve("owned@example.com") == deliver("mailbox:ann@example.com", trusted=True)
    assert model(table).resolve("ownerless@example.com") == deliver("S3")


def may_send(table: SqliteTable, address: str, reading: Reading | None = None) -> Sequence[str]:
    return owners(table, reading or Reading())(address)


def test_who_owns_an_alias_and_who_gets_its_mail_may_send_as_it(table: SqliteTable) -> None:
    put(table, "shop@example.com", "tom@example.com", "bob@else.example", owner="ann@example.com")
    put(table, "old@example.com", "S3")
    assert may_send(table, "shop@example.com") == ["ann@example.com", "tom@example.com", "bob@else.example"]
    assert may_send(table, "old@example.com") == []
    assert may_send(table, "old@example.com", Reading(mailbox="tom")) == ["tom"]
    assert may_send(table, "other@example.com") == ()


def test_nobody_sends_as_what_takes_no_mail(table: SqliteTable) -> None:
    put(table, "off@example.com", owner="ann@example.com", active=False)
    put(table, "quiet@example.com", owner="ann@example.com", ignore=True)
    put(table, "closed@closed.example", owner="ann@example.com")
    table.add_domain(Domain("closed.example", active=False))
    table.add_domain(Domain("example.com"))
    assert may_send(table, "off@example.com") == may_send(table, "closed@closed.example") == ()
    assert "ann@example.com" in may_send(table, "quiet@example.com")


def uses(table: SqliteTable) -> dict[str, int]:
    return {name: alias.use_count for name in ("shop", "deep") if (alias := table.get(name, "example.com"))}


def test_a_message_is_one_use_of_each_alias_it_was_addressed_to(table: SqliteTable) -> None:
    put(table, "shop@example.com", "deep@example.com")
    put(table, "deep@example.com")
    look_up = in_table(table, Reading())
    routed = in_entries({"deep+routed@example.com": ["tom"]})
    counted = Uses(Model(AddressRules(deny=frozenset({"@spam.example"})), [routed, look_up]), look_up, table)
    counted.count(
        [
            "shop@example.com",
            "SHOP+x@example.com",
            "nobody@example.com",
            "deep+routed@example.com",
            "who@spam.example",
            "no address",
        ]
    )
    assert uses(table) == {"shop": 1, "deep": 0}
    counted.count(["deep@example.com"])
    assert uses(table) == {"shop": 1, "deep": 1}


def test_mail_does_not_wait_for_a_count(table: SqliteTable, caplog: pytest.LogCaptureFixture) -> None:
    put(table, "shop@example.com")
    look_up = in_table(table, Reading())

    class Broken:
        def count_use(self, local: str, domain: str) -> None:
            raise Unavailable(cause="the disk is full")

    Uses(Model(AddressRules(), [look_up]), look_up, Broken()).count(["shop@example.com"])  # type: ignore[arg-type]
    assert "could not be counted" in caplog.text
