"""What a user may see and do, and what only an administrator may."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sesmail.aliases.records import Alias, DestinationRecord, Domain
from sesmail.api.http import Caller
from tests.api.asking import ANN, BOB, RIGHTS, ROOT, Asking, asking

SHOP = {"local": "shop", "domain": "example.com"}


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    ask = asking(tmp_path)
    ask.said("POST", "aliases", SHOP, as_=ANN)
    ask.said("POST", "aliases", {"local": "nobodys", "domain": "example.com"})
    return ask


def test_a_user_owns_what_he_makes(ask: Asking) -> None:
    assert ask.said("GET", "aliases/shop@example.com", as_=ANN)["owner"] == "ann@example.com"


@pytest.mark.parametrize("name", ["shop@example.com", "id-1", "nobodys@example.com", "id-2"])
def test_what_is_anothers_is_not_there(ask: Asking, name: str) -> None:
    missing = ask("GET", "aliases/missing@example.com", as_=BOB)
    assert missing.status == 404
    for answer in (
        ask("GET", f"aliases/{name}", as_=BOB),
        ask("PATCH", f"aliases/{name}", {"active": False}, as_=BOB),
        ask("PATCH", f"aliases/{name}", {"owner": "bob@example.com"}, as_=BOB, if_match="*"),
        ask("DELETE", f"aliases/{name}", as_=BOB),
        ask("DELETE", f"aliases/{name}", as_=BOB, if_match='"wrong"'),
    ):
        assert answer == missing
    assert {one["active"] for one in ask.said("GET", "aliases")["aliases"]} == {True}


def test_a_search_finds_ones_own_alone(ask: Asking) -> None:
    ask.said("POST", "aliases", {"local": "bobs", "domain": "example.com"}, as_=BOB)
    for query in ("", "?q=s", "?owner=bob@example.com", "?active=true&limit=1000"):
        assert [one["local"] for one in ask.said("GET", f"aliases{query}", as_=BOB)["aliases"]] == ["bobs"]
    for owner in ("ann@example.com", ""):
        assert ask.detail("GET", f"aliases?owner={owner}", as_=BOB) == (403, "#/owner")


def test_who_has_no_name_owns_nothing(ask: Asking) -> None:
    assert ask("GET", "aliases", as_=Caller("")).status == 403
    assert ask("GET", "aliases/nobodys@example.com", as_=Caller("")).status == 404


def test_nobody_makes_or_gives_away_aliases_but_administrators(ask: Asking) -> None:
    assert ask.detail("POST", "aliases", {"local": "x", "domain": "example.com", "owner": "bob@example.com"}, as_=ANN) == (
        403,
        "#/owner",
    )
    assert ask.detail("POST", "aliases", {"local": "x", "domain": "example.com", "owner": ""}, as_=ANN) == (403, "#/owner")
    assert ask.detail("PATCH", "aliases/shop@example.com", {"owner": "bob@example.com"}, as_=ANN) == (403, "#/owner")
    assert (
        ask.said("PATCH", "aliases/shop@example.com", {"owner": "ann@example.com", "active": False}, as_=ANN)["active"] is False
    )
    assert ask.said("PATCH", "aliases/shop@example.com", {"owner": "bob@example.com"})["owner"] == "bob@example.com"
    assert ask("GET", "aliases/shop@example.com", as_=ANN).status == 404
    assert ask("GET", "aliases/shop@example.com", as_=BOB).status == 200


def test_a_users_mail_goes_to_his_own_mailbox_alone(ask: Asking) -> None:
    for there in (["victim@elsewhere.example"], ["bob@example.com", "ann@example.com"], ["S3"]):
        assert ask.detail("POST", "aliases", {"local": "x", "domain": "example.com", "destinations": there}, as_=BOB) == (
            403,
            "#/destinations",
        )
    ask.said("POST", "aliases", {"local": "x", "domain": "example.com", "destinations": ["Bob@Example.com"]}, as_=BOB)
    assert ask.detail("PATCH", "aliases/x@example.com", {"destinations": ["S3"]}, as_=BOB) == (403, "#/destinations")


def test_s3_is_the_users_own_whose_mailbox_it_is(ask: Asking) -> None:
    assert ask.said("PATCH", "aliases/shop@example.com", {"destinations": ["S3"]}, as_=ANN)["destinations"] == ["S3"]


def test_destinations_that_an_administrator_gave_may_stay_or_go(ask: Asking) -> None:
    ask.said("PATCH", "aliases/shop@example.com", {"destinations": ["ann@example.com", "friend@b.example", "other@b.example"]})
    ask.said("PATCH", "aliases/shop@example.com", {"active": False}, as_=ANN)
    ask.said("PATCH", "aliases/shop@example.com", {"destinations": ["friend@b.example"]}, as_=ANN)
    assert ask.detail("PATCH", "aliases/shop@example.com", {"destinations": ["other@b.example"]}, as_=ANN) == (
        403,
        "#/destinations",
    )


def test_who_has_no_address_cannot_have_mail_sent_to_him(ask: Asking) -> None:
    for nowhere in (Caller("eve"), Caller("eve", address="eve@localhost")):
        assert ask.detail("POST", "aliases", {"local": "x", "domain": "example.com"}, as_=nowhere) == (403, "#/destinations")


@pytest.mark.parametrize(
    "local", ["admin", "Administrator", "hostmaster", "postmaster", "WebMaster", "abuse", "root", "mailer-daemon"]
)
def test_names_that_speak_for_the_domain_are_for_administrators(ask: Asking, local: str) -> None:
    assert ask.detail("POST", "aliases", {"local": local, "domain": "example.com"}, as_=BOB) == (403, "#/local")
    assert ask.detail("PATCH", "aliases/shop@example.com", {"local": local}, as_=ANN) == (403, "#/local")
    ask.said("POST", "aliases", {"local": local, "domain": "example.com", "owner": "bob@example.com"})


def test_nobody_gets_the_mail_of_anothers_mailbox(ask: Asking) -> None:
    assert ask("POST", "aliases", {"local": "ann", "domain": "example.com"}, as_=BOB).status == 409
    assert ask("PATCH", "aliases/shop@example.com", {"local": "bob"}, as_=ANN).status == 409


def test_nobody_gets_what_is_tagged_for_another(ask: Asking) -> None:
    for local in ("ann+bank", "shop+x"):
        assert ask.detail("POST", "aliases", {"local": local, "domain": "example.com"}, as_=BOB) == (422, "#/local")
    ask.said("POST", "aliases", {"local": "shop+x", "domain": "example.com"})


def test_users_see_active_domains_without_other_peoples_addresses(ask: Asking) -> None:
    ask.table.add_domain(Domain("old.example", active=False))
    ask.said("PATCH", "domains/example.com", {"catch_all": ["ceo@b.example"], "description": "ours"})
    said = ask.said("GET", "domains", as_=BOB)
    assert [(one["name"], one["description"], "catch_all" in one) for one in said["domains"]] == [
        ("example.com", "ours", False)
    ]
    assert b"ceo" not in ask("GET", "domains/example.com", as_=BOB).body
    assert ask("GET", "domains/old.example", as_=BOB).status == 404
    assert [one["name"] for one in ask.said("GET", "domains")["domains"]] == ["example.com", "old.example"]


def test_users_see_of_destinations_their_own(ask: Asking) -> None:
    for address in ("bob@example.com", "ceo@b.example"):
        ask.table.add_destination(DestinationRecord(address))
    assert [one["address"] for one in ask.said("GET", "destinations", as_=BOB)["destinations"]] == ["bob@example.com"]
    assert ask("GET", "destinations/ceo@b.example", as_=BOB).status == 404
    assert ask("GET", "destinations/bob@example.com", as_=BOB).status == 200


def test_domains_and_destinations_are_changed_by_administrators(ask: Asking) -> None:
    ask.table.add_destination(DestinationRecord("bob@example.com"))
    for method, path, body in (
        ("POST", "domains", {"name": "b.example"}),
        ("PATCH", "domains/example.com", {"active": False}),
        ("DELETE", "domains/example.com", None),
        ("POST", "destinations", {"address": "x@b.example"}),
        ("PATCH", "destinations/bob@example.com", {"active": False}),
        ("DELETE", "destinations/bob@example.com", None),
    ):
        assert ask.detail(method, path, body, as_=BOB)[0] == 403
    assert [(one.name, one.active) for one in ask.table.domains() or ()] == [("example.com", True)]
    assert [one.active for one in ask.table.destinations()] == [True]


def test_where_no_domains_are_kept_those_of_the_configuration_count(tmp_path: Path) -> None:
    ask = asking(tmp_path, "", rights=replace(RIGHTS, domains=frozenset({"example.com"})))
    said = ask.said("GET", "domains", as_=BOB)
    assert ([one["name"] for one in said["domains"]], said["configured"]) == (["example.com"], False)
    ask.said("POST", "aliases", SHOP, as_=BOB)
    assert ask.detail("POST", "aliases", {"local": "shop", "domain": "example.org"}, as_=BOB) == (422, "#/domain")


def test_where_no_domain_is_known_nothing_is_made_and_nothing_fails(tmp_path: Path) -> None:
    ask = asking(tmp_path, "")
    ask.table.add(Alias("old", "example.com", ("S3",), "x"))
    assert ask.said("GET", "domains") == {"domains": [], "configured": False}
    assert ask.detail("POST", "aliases", SHOP) == (422, "#/domain")
    assert ask.said("PATCH", "aliases/old@example.com", {"active": False})["active"] is False


def test_a_right_that_cannot_be_asked_for_is_not_given(tmp_path: Path) -> None:
    def fails(address: str) -> bool:
        raise RuntimeError(address)

    ask = asking(tmp_path, rights=replace(RIGHTS, is_mailbox=fails))
    answer = ask("POST", "aliases", SHOP, as_=BOB)
    assert answer.status == 500
    assert "shop" not in json.dumps(answer.body.decode())
    assert ask.said("GET", "aliases", as_=ROOT)["aliases"] == []
