"""The description of the API: right by itself, and right about the API."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sesmail.api.document import as_json, as_yaml
from sesmail.api.problems import Denied, NotJson, Stale, WrongMethod, status
from sesmail.errors import BadLogin, Limited, Malformed, NoSuchMailbox, Refused, TooLarge, Unavailable
from tests.api.asking import ANN, Asking, asking

TOOLS = Path(__file__).parents[2] / ".venv-tools" / "bin"
METHODS = ("get", "post", "put", "patch", "delete", "options", "trace")


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    ask = asking(tmp_path)
    ask.said("POST", "aliases", {"local": "shop", "domain": "example.com"})
    ask.said("POST", "destinations", {"address": "a@b.example"})
    return ask


def document() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(as_json())
    return read


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, said) for path, item in document()["paths"].items() for method, said in item.items() if method in METHODS
    ]


def test_it_is_what_it_says_it_is(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    file.write_bytes(as_json())
    checked = subprocess.run([TOOLS / "openapi-spec-validator", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert document()["openapi"] == "3.1.0"


def test_both_forms_say_the_same(ask: Asking) -> None:
    as_told = ask("GET", "openapi.yaml")
    assert (as_told.header("content-type"), as_told.body) == ("application/yaml", as_yaml())
    assert yaml.safe_load(as_told.body) == ask.said("GET", "openapi.json", as_=ANN)


def test_every_path_knows_the_methods_that_it_says_and_no_other(ask: Asking) -> None:
    names = {"{alias}": "shop@example.com", "{name}": "example.com", "{address}": "a@b.example"}
    for path, item in document()["paths"].items():
        there = path.removeprefix("/api/v1/")
        for template, name in names.items():
            there = there.replace(template, name)
        for method in METHODS:
            known = ask(method.upper(), there, b"{").status != 405
            assert known == (method in item), (method, path)


def test_every_answer_that_there_can_be_is_told() -> None:
    always = {401, 400, status(Limited())}
    body = {status(NotJson()), status(TooLarge()), 422}
    for path, method, said in operations():
        told = set(map(int, said["responses"]))
        assert always <= told, (path, method)
        assert ("requestBody" in said) == (body <= told), (path, method)
        if "parameters" in said and {"$ref": "#/components/parameters/IfMatch"} in said["parameters"]:
            assert {status(Stale()), status(NoSuchMailbox()), 409} <= told, (path, method)


def test_the_shapes_have_the_properties_that_answers_have(ask: Asking) -> None:
    schemas = document()["components"]["schemas"]
    for name, path in (
        ("Alias", "aliases/shop@example.com"),
        ("Domain", "domains/example.com"),
        ("Destination", "destinations/a@b.example"),
    ):
        assert set(ask.said("GET", path)) == set(schemas[name]["properties"])
        assert set(schemas[name]["required"]) <= set(schemas[name]["properties"])


@pytest.mark.parametrize(
    ("path", "name", "method"),
    [
        ("aliases", "NewAlias", "POST"),
        ("aliases/shop@example.com", "AliasChange", "PATCH"),
        ("domains", "NewDomain", "POST"),
        ("domains/example.com", "DomainChange", "PATCH"),
        ("destinations", "NewDestination", "POST"),
        ("destinations/a@b.example", "DestinationChange", "PATCH"),
    ],
)
def test_the_properties_that_are_read_are_those_that_are_told(ask: Asking, path: str, name: str, method: str) -> None:
    answer = ask(method, path, {"nonsense": 1})
    told = json.loads(answer.body)["detail"].partition("known are ")[2].split(", ")
    assert told == sorted(document()["components"]["schemas"][name]["properties"])


def test_parameters_of_a_search_are_those_that_are_told(ask: Asking) -> None:
    told = json.loads(ask("GET", "aliases?nonsense=1").body)["detail"].partition("known are: ")[2].split(", ")
    assert told == sorted(one["name"] for one in document()["paths"]["/api/v1/aliases"]["get"]["parameters"])


def test_every_kind_of_failure_has_its_status() -> None:
    kinds = (
        WrongMethod(("GET",)),
        NotJson(),
        Denied("x", ""),
        BadLogin(),
        Refused(),
        TooLarge(),
        Malformed(),
        Limited(),
        Unavailable(),
    )
    assert [status(one) for one in kinds] == [405, 415, 403, 401, 403, 413, 400, 429, 503]
