"""The paths of tacomail-api."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sesmail.aliases.records import Alias, Domain
from sesmail.aliases.table import Changed
from sesmail.api.http import Caller, Request, Response
from sesmail.api.respond import Api
from sesmail.errors import Limited, MailError, Unavailable
from tests.api.asking import ANN, BOB, NOW, Asking, api, asking

SIGNED = Caller("arn:aws:iam::111122223333:user/taco", admin=True, signed=True)
RECORDING = Path(__file__).with_name("tacomail-frontend.jsonl")


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    ask = asking(tmp_path)
    ask.caller, ask.base = SIGNED, "/"
    return ask


def message(answer: Response) -> tuple[int, str]:
    said = json.loads(answer.body)
    assert said["code"] == answer.status
    return answer.status, said["message"]


def shop(ask: Asking, **more: Any) -> Alias:
    return ask.table.add(Alias("shop", "example.com", ("S3",), "uuid-1", **more))


def kept(ask: Asking) -> Alias:
    found = ask.table.identified("uuid-1")
    assert found is not None
    return found


def test_what_its_frontend_asks_is_answered_as_it_expects(tmp_path: Path) -> None:
    ask = asking(tmp_path, "")
    ask.caller, ask.base = SIGNED, ""
    ask.table.add_domain(Domain("example.com", created=NOW, modified=NOW))
    ask.table.add_domain(Domain("old.example", active=False, description="gone", created=NOW, modified=NOW))
    for line in RECORDING.read_text().splitlines():
        recorded = json.loads(line)
        asked = recorded["asked"]
        answer = ask(asked["method"], asked["path"], asked.get("body"), content_type="application/json")
        assert (answer.status, json.loads(answer.body)) == (recorded["status"], recorded["said"]), line


def test_an_alias_is_found_by_its_whole_address_and_by_identifier(ask: Asking) -> None:
    shop(ask)
    for path in ("alias?alias=Shop@example.com", "alias/uuid-1", "alias/uuid-1/more/than/asked"):
        assert ask.said("GET", path)[0]["fullEmailAddress"] == "shop@example.com"
    for path in ("alias?alias=none@example.com", "alias?alias=uuid-1", "alias/uuid-2"):
        assert ask("GET", path).status == 405


def test_filters_match_and_need_no_other(ask: Asking) -> None:
    shop(ask)
    ask.table.add(Alias("boots", "example.com", ("a@b.example",), "uuid-2", ignore=True))
    ask.table.add(Alias("old", "example.com", ("S3",), "uuid-3", active=False))
    for query, found in (
        ("active=false", ["old"]),
        ("ignore=true", ["boots"]),
        ("active=true&ignore=false", ["shop"]),
        ("destination=A@b.example", ["boots"]),
        ("q=O&destination=S3", ["old", "shop"]),
        ("q=", ["boots", "old", "shop"]),
    ):
        assert [one["alias"] for one in ask.said("GET", f"alias?{query}")] == found


def test_a_search_is_answered_with_all_that_it_finds(ask: Asking) -> None:
    for number in range(1100):
        ask.table.add(Alias(f"a{number}", "example.com", ("S3",), f"uuid-{number}"))
    assert len(ask.said("GET", "alias?q=example")) == 1100


def test_an_unencoded_plus_is_found(ask: Asking) -> None:
    ask.table.add(Alias("a+b", "example.com", ("S3",), "uuid-1"))
    assert ask.said("GET", "alias?q=a+b")[0]["alias"] == "a+b"


def test_without_a_search_it_is_a_teapot(ask: Asking) -> None:
    for query in ("", "?colour=red"):
        assert ask("GET", f"alias{query}").status == 418


def test_a_get_changes_nothing_for_callers_who_have_not_signed(ask: Asking) -> None:
    before = shop(ask, owner="ann@example.com")
    for caller in (replace(SIGNED, signed=False), ANN):
        for action in ("activate", "deactivate", "ignore", "count"):
            assert ask("GET", f"alias/uuid-1/{action}", as_=caller).status == 403
    assert ask("HEAD", "alias/uuid-1/ignore").status == 403
    assert kept(ask) == before
    assert ask("PATCH", "alias/uuid-1", {"active": False}, as_=ANN).status == 200


def test_a_use_is_counted_without_a_word(ask: Asking) -> None:
    shop(ask)
    answer = ask("GET", "alias/uuid-1/count")
    assert (answer.status, answer.body, kept(ask).use_count) == (204, b"", 1)
    assert ask("GET", "alias/uuid-2/count").status == 405
    assert ask("GET", "alias/uuid-1/explode").status == 418


@pytest.mark.parametrize("missing", ["alias", "domain", "destination"])
def test_what_is_missing_is_named(ask: Asking, missing: str) -> None:
    body = {"alias": "shop", "domain": "example.com", "destination": "S3"}
    del body[missing]
    answer = ask("POST", "alias", body)
    assert message(answer) == (400, f"missing required property: {missing}")
    assert json.loads(answer.body)["type"] == "alias"


def test_what_cannot_be_an_address_is_refused_and_capitals_are_lowered(ask: Asking) -> None:
    good = {"alias": "Shop", "domain": "Example.com", "destination": "Me@B.example"}
    for changed in ({"alias": "a b"}, {"alias": 7}, {"destination": "nobody"}, {"domain": "x"}):
        assert ask("POST", "alias", {**good, **changed}).status == 400
    said = ask.said("POST", "alias", good)[0]
    assert (said["fullEmailAddress"], said["destination"]) == ("shop@example.com", "me@b.example")


def test_a_rename_keeps_ignore_and_takes_active_with_it(ask: Asking) -> None:
    shop(ask, ignore=True, use_count=7, created=5)
    said = ask.said("PATCH", "alias/uuid-1", {"alias": "boots", "active": False})[0]
    assert (said["alias"], said["ignore"], said["active"], said["count"], said["created"]) == ("boots", True, False, 7, 5)


def test_a_rename_onto_another_alias_loses_neither(ask: Asking) -> None:
    shop(ask)
    ask.table.add(Alias("boots", "example.com", ("S3",), "uuid-2"))
    assert ask("PATCH", "alias/uuid-1", {"alias": "boots"}).status == 405
    assert [one["alias"] for one in ask.said("GET", "alias?q=")] == ["boots", "shop"]


def test_a_change_needs_an_alias_a_property_and_an_active_domain(ask: Asking) -> None:
    shop(ask)
    ask.table.add_domain(Domain("old.example", active=False))
    for path, body in (
        ("alias/uuid-2", {"active": False}),
        ("alias/uuid-1", {}),
        ("alias/uuid-1", {"colour": "red"}),
        ("alias/uuid-1", {"domain": "old.example"}),
        ("alias", {"active": False}),
    ):
        assert message(ask("PATCH", path, body))[0] == 405


def test_who_is_overtaken_hears_it(ask: Asking) -> None:
    shop(ask)

    class Overtaken:
        def __getattr__(self, name: str) -> object:
            return getattr(ask.table, name)

        def change(self, old: Alias, new: Alias) -> Alias:
            raise Changed

    request = Request("PATCH", "/alias/uuid-1", "", {}, b'{"active": false}')
    assert api(Overtaken()).respond(request, SIGNED).status == 409  # type: ignore[arg-type]


@pytest.mark.parametrize(("error", "status"), [(Unavailable(cause="arn:aws:x"), 500), (Limited(cause="arn:aws:x"), 429)])
def test_what_did_not_work_is_never_told_as_done(ask: Asking, error: MailError, status: int) -> None:
    class Failing:
        def __getattr__(self, name: str) -> object:
            return getattr(ask.table, name)

        def change(self, *_: object) -> None:
            raise error

        add = remove = add_domain = change_domain = remove_domain = add_destination = change_destination = count_use = change

    shop(ask)
    respond = api(Failing()).respond  # type: ignore[arg-type]
    for method, path, body in (
        ("POST", "/alias", b'{"alias": "boots", "domain": "example.com", "destination": "S3"}'),
        ("PATCH", "/alias/uuid-1", b'{"active": false}'),
        ("GET", "/alias/uuid-1/ignore", b""),
        ("GET", "/alias/uuid-1/count", b""),
        ("POST", "/domain", b'{"domain": "b.example"}'),
        ("PATCH", "/domain/example.com", b'{"active": false}'),
        ("PATCH", "/domain/example.com/delete", b""),
        ("POST", "/destination", b'{"destination": "a@b.example"}'),
    ):
        answer = respond(Request(method, path, "", {}, body), SIGNED)
        assert message(answer) == (status, error.public)
        assert (answer.header("retry-after") is not None) == (status == 429)
        assert b"arn" not in answer.body


def test_a_user_sees_and_changes_what_he_owns(ask: Asking) -> None:
    shop(ask, owner="ann@example.com")
    for method, path, body in (
        ("GET", "alias/uuid-1", None),
        ("GET", "alias?q=shop", None),
        ("GET", "alias?alias=shop@example.com", None),
        ("PATCH", "alias/uuid-1", {"active": False}),
        ("GET", "alias/uuid-1/deactivate", None),
    ):
        assert ask(method, path, body, as_=replace(BOB, signed=True)).status == 405
    assert kept(ask).active
    assert ask.said("GET", "alias?q=shop", as_=ANN)[0]["uuid"] == "uuid-1"
    abuse = {"alias": "x", "domain": "example.com", "destination": "victim@elsewhere.example"}
    assert ask("POST", "alias", abuse, as_=BOB).status == 403
    assert ask("POST", "domain", {"domain": "b.example"}, as_=BOB).status == 403
    assert ask("PATCH", "domain/example.com", {"active": False}, as_=BOB).status == 403
    assert ask("PATCH", "domain/example.com/delete", as_=BOB).status == 403


def test_domains_are_added_changed_and_deleted(ask: Asking) -> None:
    said = ask.said("POST", "domain", {"domain": "B.example", "description": "books"})
    assert said == [
        {"subdomain": "b.example", "description": "books", "active": True, "created_datetime": NOW, "modified_datetime": NOW}
    ]
    assert message(ask("POST", "domain", {"domain": "b.example"})) == (409, "domain exists")
    assert ask("POST", "domain", {}).status == 418
    assert ask.said("PATCH", "domain/b.example", {"active": False})[0]["description"] == "books"
    assert [one["subdomain"] for one in ask.said("GET", "domain?q=B.e")] == ["b.example"]
    assert [len(ask.said("GET", f"domain/{name}")) for name in ("B.example", "c.example")] == [1, 0]
    answer = ask("PATCH", "domain/b.example/delete")
    assert (answer.status, answer.body) == (204, b"")
    assert message(ask("PATCH", "domain/b.example", {"active": True})) == (405, "subdomain does not exist")
    assert message(ask("PATCH", "domain", {}))[0] == 405


def test_where_domains_were_never_configured_it_says_so_and_does_not_fail(tmp_path: Path) -> None:
    ask = asking(tmp_path, "")
    ask.caller, ask.base = SIGNED, "/"
    assert message(ask("GET", "domain")) == (405, "Domain configuration not set up")
    assert message(ask("POST", "alias", {"alias": "a", "domain": "example.com", "destination": "S3"}))[0] == 400
    assert message(ask("PATCH", "domain/example.com", {"active": True}))[0] == 405
    assert ask("POST", "domain", {"domain": "example.com"}).status == 201


def test_destinations_are_there(ask: Asking) -> None:
    assert ask.said("POST", "destination", {"destination": "A@b.example"})[0]["destination"] == "a@b.example"
    assert ask("POST", "destination", {"destination": "a@b.example"}).status == 405
    assert ask.said("PATCH", "destination/a@b.example", {"active": False})[0]["active"] is False
    assert [len(ask.said("GET", f"destination?active={flag}")) for flag in ("true", "false")] == [0, 1]
    assert ask.said("GET", "destination/a@b.example") == ask.said("GET", "destination?q=b.ex")
    assert ask("GET", "destination/b@b.example").status == 405
    assert ask("PATCH", "destination/a@b.example", {}).status == 405


def test_other_methods_are_a_bad_request(ask: Asking) -> None:
    for path in ("alias", "domain/x", "destination"):
        for method in ("PUT", "DELETE", "OPTIONS"):
            answer = ask(method, path)
            assert (answer.status, json.loads(answer.body)) == (400, {"message": "Bad Request"})


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b"7"])
def test_what_is_no_json_object_is_a_bad_request(ask: Asking, body: bytes) -> None:
    for method, path in (("POST", "alias"), ("PATCH", "alias/x"), ("POST", "domain")):
        assert ask(method, path, body).status == 400


def test_its_paths_are_answered_only_where_they_are_wanted(ask: Asking) -> None:
    respond = Api(ask.table, now=lambda: NOW, new_id=str).respond
    assert respond(Request("GET", "/domain"), SIGNED).status == 404
