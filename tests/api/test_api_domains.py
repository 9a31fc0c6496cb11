"""``/api/v1/domains`` and ``/api/v1/destinations``."""

from __future__ import annotations

from pathlib import Path

import pytest

from sesmail.aliases.records import Domain
from tests.api.asking import NOW, Asking, asking


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    return asking(tmp_path, "")


def test_the_first_domain_makes_domains_configured(ask: Asking) -> None:
    answer = ask("POST", "domains", {"name": "Bücher.example", "description": "books", "catch_all": ["S3", "A@b.example"]})
    assert (answer.status, answer.header("location")) == (201, "domains/xn--bcher-kva.example")
    assert ask.said("GET", "domains") == {
        "domains": [
            {
                "name": "xn--bcher-kva.example",
                "active": True,
                "description": "books",
                "catch_all": ["S3", "a@b.example"],
                "created": "2023-11-14T22:13:20Z",
                "modified": "2023-11-14T22:13:20Z",
                "etag": answer.header("etag"),
            }
        ],
        "configured": True,
    }
    assert ask.said("GET", "domains/B%C3%BCcher.example")["description"] == "books"


def test_a_domain_is_added_once(ask: Asking) -> None:
    assert [ask("POST", "domains", {"name": name}).status for name in ("b.example", "B.Example")] == [201, 409]


def test_a_change_keeps_what_it_does_not_name(ask: Asking) -> None:
    ask.said("POST", "domains", {"name": "b.example", "description": "books", "catch_all": ["S3"]})
    said = ask.said("PATCH", "domains/b.example", {"active": False})
    assert (said["active"], said["description"], said["catch_all"]) == (False, "books", ["S3"])
    assert ask.said("PATCH", "domains/b.example", {"catch_all": []})["catch_all"] == []


def test_a_removed_domain_is_gone_and_another_one_stays(ask: Asking) -> None:
    for name in ("b.example", "c.example"):
        ask.table.add_domain(Domain(name, created=NOW))
    assert ask("DELETE", "domains/b.example").status == 204
    assert [
        ask(method, "domains/b.example", body).status
        for method, body in (("GET", None), ("PATCH", {"active": True}), ("DELETE", None))
    ] == [404] * 3
    assert [one["name"] for one in ask.said("GET", "domains")["domains"]] == ["c.example"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/name"),
        ({"name": ""}, "#/name"),
        ({"name": "localhost"}, "#/name"),
        ({"name": "a b.example"}, "#/name"),
        ({"name": "x@b.example"}, "#/name"),
        ({"name": None}, "#/name"),
        ({"name": "b.example", "active": "yes"}, "#/active"),
        ({"name": "b.example", "description": 1}, "#/description"),
        ({"name": "b.example", "catch_all": ["x"]}, "#/catch_all"),
        ({"name": "b.example", "catch_all": None}, "#/catch_all"),
        ({"name": "b.example", "created": "now"}, "#/created"),
    ],
)
def test_what_cannot_be_is_told_with_the_property(ask: Asking, body: object, pointer: str) -> None:
    assert ask.detail("POST", "domains", body) == (422, pointer)


@pytest.mark.parametrize("path", ["domains/b.example", "destinations/a@b.example"])
def test_a_change_that_names_nothing_is_refused(ask: Asking, path: str) -> None:
    ask.said("POST", "domains", {"name": "b.example"})
    ask.said("POST", "destinations", {"address": "a@b.example"})
    assert ask("PATCH", path, {}).status == 422


def test_destinations_are_registered_changed_and_forgotten(ask: Asking) -> None:
    answer = ask("POST", "destinations", {"address": "A@B.example", "verified": True})
    assert (answer.status, answer.header("location")) == (201, "destinations/a@b.example")
    assert ask("POST", "destinations", {"address": "a@b.example"}).status == 409
    said = ask.said("PATCH", "destinations/A@b.example", {"active": False})
    assert said == {
        "address": "a@b.example",
        "active": False,
        "verified": True,
        "created": "2023-11-14T22:13:20Z",
        "modified": "2023-11-14T22:13:20Z",
        "etag": ask("GET", "destinations/a@b.example").header("etag"),
    }
    assert ask.said("GET", "destinations")["destinations"] == [said]
    assert ask("DELETE", "destinations/a@b.example").status == 204
    assert ask.said("GET", "destinations") == {"destinations": []}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "#/address"), ({"address": "nobody"}, "#/address"), ({"address": "a@b.example", "verified": 1}, "#/verified")],
)
def test_what_is_no_destination_is_refused(ask: Asking, body: object, pointer: str) -> None:
    assert ask.detail("POST", "destinations", body) == (422, pointer)
