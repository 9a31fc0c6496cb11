"""``/api/v1/aliases``: made, found, changed, renamed and removed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sesmail.aliases.records import Alias, Domain
from tests.api.asking import ANN, NOW, ROOT, Asking, asking


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    return asking(tmp_path)


def kept(ask: Asking, address: str) -> Alias:
    found = ask.table.get(*address.split("@"))
    assert found is not None
    return found


def test_a_new_alias_is_shown_as_it_is_kept(ask: Asking) -> None:
    answer = ask(
        "POST", "aliases", {"local": "shop", "domain": "example.com", "destinations": ["a@b.example"], "description": "shoes"}
    )
    assert (answer.status, answer.header("location")) == (201, "aliases/shop@example.com")
    assert json.loads(answer.body) == {
        "address": "shop@example.com",
        "local": "shop",
        "domain": "example.com",
        "identifier": "id-1",
        "destinations": ["a@b.example"],
        "active": True,
        "ignore": False,
        "owner": "",
        "description": "shoes",
        "created": "2023-11-14T22:13:20Z",
        "modified": "2023-11-14T22:13:20Z",
        "use_count": 0,
        "etag": answer.header("etag"),
    }
    alias = kept(ask, "shop@example.com")
    assert (alias.destinations, alias.description, alias.created) == (("a@b.example",), "shoes", NOW)


def test_it_is_there_at_once_under_address_and_identifier(ask: Asking) -> None:
    made = ask("POST", "aliases", {"local": "shop", "domain": "example.com"})
    for name in ("shop@example.com", "SHOP%40Example.COM", "id-1"):
        found = ask("GET", f"aliases/{name}")
        assert (found.status, found.body, found.header("etag")) == (200, made.body, made.header("etag"))


def test_names_are_kept_in_lower_case_and_domains_as_a_labels(ask: Asking) -> None:
    ask.table.add_domain(Domain("xn--bcher-kva.example"))
    said = ask.said(
        "POST", "aliases", {"local": " Shop.One", "domain": "Bücher.example", "destinations": ["Me@B.example", "s3"]}
    )
    assert said["address"] == "shop.one@xn--bcher-kva.example"
    assert said["destinations"] == ["me@b.example", "S3"]


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"local": ""}, "#/local"),
        ({"local": "a b"}, "#/local"),
        ({"local": '"a b"'}, "#/local"),
        ({"local": "a@b"}, "#/local"),
        ({"local": "é"}, "#/local"),
        ({"local": "x" * 65}, "#/local"),
        ({"local": "\ud800"}, "#/local"),
        ({"local": 7}, "#/local"),
        ({"local": "a\r\nb"}, "#/local"),
        ({"domain": "localhost"}, "#/domain"),
        ({"domain": "[192.0.2.1]"}, "#/domain"),
        ({"domain": "b@example.com"}, "#/domain"),
        ({"domain": "elsewhere.example"}, "#/domain"),
        ({"domain": "\ud800.example"}, "#/domain"),
        ({"destinations": []}, "#/destinations"),
        ({"destinations": "S3"}, "#/destinations"),
        ({"destinations": ["nobody"]}, "#/destinations"),
        ({"destinations": [None]}, "#/destinations"),
        ({"active": "true"}, "#/active"),
        ({"ignore": 1}, "#/ignore"),
        ({"description": None}, "#/description"),
        ({"owner": False}, "#/owner"),
        ({"identifier": "mine"}, "#/identifier"),
        ({"a/b~c": 1}, "#/a~1b~0c"),
    ],
)
def test_what_cannot_be_is_told_with_the_property(ask: Asking, changed: dict[str, object], pointer: str) -> None:
    body = {"local": "shop", "domain": "example.com", **changed}
    assert ask.detail("POST", "aliases", json.dumps(body).encode()) == (422, pointer)
    ask.said("POST", "aliases", {"local": "there", "domain": "example.com"})
    assert ask.detail("PATCH", "aliases/there@example.com", json.dumps(changed).encode()) == (422, pointer)


@pytest.mark.parametrize(
    "changed",
    [
        {"description": "x" * 1001},
        {"description": "a\nb"},
        {"owner": "\x00"},
        {"destinations": ["a@b.example", "A@B.example"]},
        {"destinations": [f"a{number}@b.example" for number in range(51)]},
    ],
)
def test_what_no_table_takes_is_refused_in_words(ask: Asking, changed: dict[str, object]) -> None:
    status, detail = ask.detail("POST", "aliases", {"local": "shop", "domain": "example.com", **changed})
    assert (status, bool(detail)) == (422, True)


@pytest.mark.parametrize("missing", ["local", "domain"])
def test_what_is_missing_is_named(ask: Asking, missing: str) -> None:
    body = {"local": "shop", "domain": "example.com"}
    del body[missing]
    answer = ask("POST", "aliases", body)
    assert answer.status == 422
    assert json.loads(answer.body)["errors"] == [{"pointer": f"#/{missing}", "detail": f"{missing} is missing"}]


def test_an_address_is_given_once(ask: Asking) -> None:
    ask.said("POST", "aliases", {"local": "shop", "domain": "example.com", "description": "first"})
    assert ask("POST", "aliases", {"local": "SHOP", "domain": "example.com"}).status == 409
    assert kept(ask, "shop@example.com").description == "first"


def test_an_inactive_domain_takes_no_new_alias_but_its_aliases_can_be_changed(ask: Asking) -> None:
    ask.said("POST", "aliases", {"local": "shop", "domain": "example.com"})
    ask.said("PATCH", "domains/example.com", {"active": False})
    assert ask.detail("POST", "aliases", {"local": "other", "domain": "example.com"}) == (422, "#/domain")
    assert ask.detail("PATCH", "aliases/shop@example.com", {"local": "other"}) == (422, "#/domain")
    assert ask.said("PATCH", "aliases/shop@example.com", {"active": False})["active"] is False


def test_a_change_keeps_what_it_does_not_name(ask: Asking) -> None:
    ask.said("POST", "aliases", {"local": "shop", "domain": "example.com", "description": "shoes", "ignore": True})
    before = kept(ask, "shop@example.com")
    ask.said("PATCH", "aliases/shop@example.com", {"active": False}, content_type="application/merge-patch+json")
    after = kept(ask, "shop@example.com")
    assert after == replace(before, active=False, version=after.version)
    assert after.version != before.version


def test_a_rename_keeps_all_else_and_takes_what_comes_with_it(ask: Asking) -> None:
    ask.said("POST", "aliases", {"local": "shop", "domain": "example.com", "ignore": True, "description": "shoes"})
    ask.table.count_use("shop", "example.com")
    before = kept(ask, "shop@example.com")
    said = ask.said("PATCH", "aliases/id-1", {"local": "boots", "active": False})
    assert (said["address"], said["ignore"], said["active"], said["use_count"]) == ("boots@example.com", True, False, 1)
    assert (said["identifier"], said["created"]) == ("id-1", "2023-11-14T22:13:20Z")
    assert ask("GET", "aliases/shop@example.com").status == 404
    assert kept(ask, "boots@example.com").description == before.description


def test_a_rename_onto_another_alias_loses_neither(ask: Asking) -> None:
    for local in ("shop", "boots"):
        ask.said("POST", "aliases", {"local": local, "domain": "example.com", "description": local})
    assert ask("PATCH", "aliases/shop@example.com", {"local": "boots"}).status == 409
    assert [kept(ask, f"{local}@example.com").description for local in ("shop", "boots")] == ["shop", "boots"]


def test_a_change_of_nothing_is_no_new_version(ask: Asking) -> None:
    made = ask("POST", "aliases", {"local": "shop", "domain": "example.com"})
    assert ask("PATCH", "aliases/shop@example.com", {"active": True}).header("etag") == made.header("etag")


def test_a_change_that_names_nothing_is_refused(ask: Asking) -> None:
    ask.said("POST", "aliases", {"local": "shop", "domain": "example.com"})
    assert ask("PATCH", "aliases/shop@example.com", {}).status == 422


def test_a_removed_alias_is_gone(ask: Asking) -> None:
    ask.said("POST", "aliases", {"local": "shop", "domain": "example.com"})
    answer = ask("DELETE", "aliases/shop@example.com")
    assert (answer.status, answer.body) == (204, b"")
    assert [ask(method, "aliases/shop@example.com").status for method in ("GET", "DELETE")] == [404, 404]
    assert ask("PATCH", "aliases/shop@example.com", {"active": False}).status == 404


def test_names_with_signs_are_found_however_they_are_written(ask: Asking) -> None:
    ask.said("POST", "aliases", {"local": "a/b%c=d?e", "domain": "example.com"})
    for name in ("a%2Fb%25c=d%3Fe@example.com", "a/b%25c=d%3Fe@example.com"):
        assert ask.said("GET", f"aliases/{name}")["local"] == "a/b%c=d?e"
    assert ask("POST", "aliases", {"local": "b/c", "domain": "example.com"}).header("location") == "aliases/b%2Fc@example.com"


def find(ask: Asking, query: str) -> list[str]:
    return [one["local"] for one in ask.said("GET", f"aliases?{query}")["aliases"]]


def test_filters_are_true_or_false_and_go_together(ask: Asking) -> None:
    ask.table.add_domain(Domain("example.org"))
    for local, domain, more in (
        ("shoes", "example.com", {}),
        ("shop", "example.org", {"active": False, "destinations": ["a@b.example"]}),
        ("boots", "example.com", {"ignore": True, "owner": "ann@example.com"}),
    ):
        ask.said("POST", "aliases", {"local": local, "domain": domain, **more})
    assert find(ask, "") == ["boots", "shoes", "shop"]
    assert find(ask, "q=SHO") == ["shoes", "shop"]
    assert find(ask, "q=e.org") == ["shop"]
    assert find(ask, "active=false") == ["shop"]
    assert find(ask, "active=true&ignore=false") == ["shoes"]
    assert find(ask, "ignore=true") == ["boots"]
    assert find(ask, "domain=Example.com&q=s") == ["boots", "shoes"]
    assert find(ask, "destination=A@b.example") == ["shop"]
    assert find(ask, "owner=ann@example.com") == ["boots"]
    assert find(ask, "owner=") == ["shoes", "shop"]


@pytest.mark.parametrize(
    "query",
    [
        *(
            "active=yes",
            "ignore=",
            "limit=0",
            "limit=1001",
            "limit=x",
            "limit=-1",
            "limit=%C2%B2",
            "after=nonsense",
            "colour=red",
        ),
        *(f"q={'a' * 255}", f"owner={'a' * 255}", "q=", "domain=", "after="),
        *("q=a&q=b", "q", "q=%ff", "domain=[1]", "destination=nobody", "&".join(f"a{number}=1" for number in range(60))),
    ],
)
def test_a_search_that_means_nothing_is_refused(ask: Asking, query: str) -> None:
    assert ask.detail("GET", f"aliases?{query}")[0] == 400


def test_every_alias_is_on_one_page(ask: Asking) -> None:
    for number in range(25):
        ask.said("POST", "aliases", {"local": f"a{number:02}", "domain": "example.com", "active": number % 5 > 0})
    found: list[str] = []
    query = "limit=7&active=true&q=a%2B@".replace("%2B@", "")
    pages = 0
    while query:
        answer = ask("GET", f"aliases?{query}")
        found += [one["local"] for one in json.loads(answer.body)["aliases"]]
        link = answer.header("link")
        assert (link is None) == (json.loads(answer.body)["after"] is None)
        query = link.removeprefix("<?").removesuffix('>; rel="next"') if link else ""
        pages += 1
    assert found == [f"a{number:02}" for number in range(25) if number % 5]
    assert pages >= 3


def test_head_is_answered_as_get(ask: Asking) -> None:
    assert ask("HEAD", "aliases") == ask("GET", "aliases")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("aliases", "GET, POST, HEAD"),
        ("aliases/a@example.com", "GET, PATCH, DELETE, HEAD"),
        ("domains", "GET, POST, HEAD"),
        ("domains/example.com", "GET, PATCH, DELETE, HEAD"),
        ("destinations", "GET, POST, HEAD"),
        ("destinations/a@example.com", "GET, PATCH, DELETE, HEAD"),
        ("openapi.json", "GET, HEAD"),
    ],
)
def test_other_methods_hear_which_are_allowed(ask: Asking, path: str, allowed: str) -> None:
    for method in {"GET", "POST", "PATCH", "DELETE", "PUT", "TRACE", "PROPFIND"} - set(allowed.split(", ")):
        answer = ask(method, path, {})
        assert (answer.status, answer.header("allow")) == (405, allowed)


@pytest.mark.parametrize("path", ["", "alias", "aliases/", "nothing/x", "openapi.json/x", "../v1/aliases", "aliases%2F"])
def test_there_is_nothing_elsewhere(ask: Asking, path: str) -> None:
    assert ask.detail("GET", path)[0] == 404


def test_no_answer_is_kept_by_a_browser_or_guessed_at(ask: Asking) -> None:
    ask.said("POST", "aliases", {"local": "shop", "domain": "example.com"})
    for path in ("aliases", "aliases/shop@example.com", "aliases/none@example.com", "openapi.yaml", "nothing"):
        answer = ask("GET", path)
        assert (answer.header("cache-control"), answer.header("x-content-type-options")) == ("no-store", "nosniff")


def test_without_destinations_mail_goes_to_the_caller(ask: Asking) -> None:
    assert ask.said("POST", "aliases", {"local": "one", "domain": "example.com"}, as_=ANN)["destinations"] == [
        "ann@example.com"
    ]
    assert ask.said("POST", "aliases", {"local": "two", "domain": "example.com"}, as_=ROOT)["destinations"] == ["S3"]
