"""ETag and If-Match, and several writers on one alias."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sesmail.aliases.records import Alias, DestinationRecord
from sesmail.api.etags import etag
from sesmail.api.http import Response
from tests.api.asking import ANN, Asking, api, asking

ROOT = Path(__file__).parents[2]
SHOP = "aliases/shop@example.com"

# Adds its letter to the description, COUNT times, each time to what it has read.
WRITER = """
import json, sys, time
from sesmail.aliases.sqlite import SqliteTable
from sesmail.api.http import Caller, Request
from sesmail.api.respond import Api
file, letter, count = sys.argv[1:]
api = Api(SqliteTable(file), now=time.time, new_id=str)
path, refused = "/api/v1/aliases/shop@example.com", set()
print("ready", flush=True); sys.stdin.readline()
done = 0
while done < int(count):
    read = api.respond(Request("GET", path), Caller("root", admin=True))
    changed = {"description": json.loads(read.body)["description"] + letter}
    headers = {"content-type": "application/json", "if-match": read.header("etag")}
    status = api.respond(Request("PATCH", path, "", headers, json.dumps(changed).encode()), Caller("root", admin=True)).status
    done += status == 200
    refused |= {status} - {200}
print(json.dumps(sorted(refused)))
"""


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    ask = asking(tmp_path)
    ask.said("POST", "aliases", {"local": "shop", "domain": "example.com"})
    return ask


def tag(answer: Response) -> str:
    found = answer.header("etag")
    assert found is not None
    return found


def test_what_was_read_can_be_changed_once(ask: Asking) -> None:
    read = tag(ask("GET", SHOP))
    changed = ask("PATCH", SHOP, {"active": False}, if_match=read)
    assert changed.status == 200
    assert tag(changed) == tag(ask("GET", SHOP)) != read
    for method, body in (("PATCH", {"active": True}), ("DELETE", None)):
        assert ask.detail(method, SHOP, body, if_match=read)[0] == 412
    assert ask.said("GET", SHOP)["active"] is False
    assert ask("DELETE", SHOP, if_match=tag(changed)).status == 204


@pytest.mark.parametrize("wanted", ["*", ' "x" , {} ', "{}"])
def test_any_of_several_versions_may_be_meant(ask: Asking, wanted: str) -> None:
    assert ask("PATCH", SHOP, {"active": False}, if_match=wanted.replace("{}", tag(ask("GET", SHOP)))).status == 200


@pytest.mark.parametrize("wanted", ["W/{}", '"x"', 'W/"x", "y"', "x", "", '"é"'])
def test_another_version_is_never_meant(ask: Asking, wanted: str) -> None:
    assert ask("PATCH", SHOP, {"active": False}, if_match=wanted.replace("{}", tag(ask("GET", SHOP)))).status == 412


def test_a_use_that_is_counted_is_no_change(ask: Asking) -> None:
    read = tag(ask("GET", SHOP))
    ask.table.count_use("shop", "example.com")
    said = ask.said("PATCH", SHOP, {"active": False}, if_match=read)
    assert said["use_count"] == 1


def test_an_alias_that_is_made_again_is_another_one(ask: Asking) -> None:
    read = tag(ask("GET", SHOP))
    ask.said("DELETE", SHOP)
    ask.said("POST", "aliases", {"local": "shop", "domain": "example.com"})
    assert ask("DELETE", SHOP, if_match=read).status == 412


def test_domains_and_destinations_have_versions_too(ask: Asking) -> None:
    ask.table.add_destination(DestinationRecord("a@b.example"))
    for path in ("domains/example.com", "destinations/a@b.example"):
        read = tag(ask("GET", path))
        assert ask("PATCH", path, {"active": False}, if_match=read).status == 200
        for method, body in (("PATCH", {"active": True}), ("DELETE", None)):
            assert ask(method, path, body, if_match=read).status == 412


def test_lists_tell_the_version_of_each_entry(ask: Asking) -> None:
    ask.table.add_destination(DestinationRecord("a@b.example"))
    for kind, name in (("aliases", "shop@example.com"), ("domains", "example.com"), ("destinations", "a@b.example")):
        (row,) = ask.said("GET", kind)[kind]
        assert row["etag"] == tag(ask("GET", f"{kind}/{name}"))
        changed = ask("PATCH", f"{kind}/{name}", {"active": False}, if_match=row["etag"])
        assert (changed.status, json.loads(changed.body)["etag"]) == (200, tag(changed))
        assert ask("PATCH", f"{kind}/{name}", {"active": True}, if_match=row["etag"]).status == 412


def test_a_change_by_who_counts_no_versions_is_another_version() -> None:
    before = Alias("shop", "example.com", ("S3",), "id-1", created=1, modified=2, version=3)
    for change in ({"modified": 3}, {"version": 4}, {"created": 2}, {"identifier": "id-2"}):
        assert etag(replace(before, **change)) != etag(before)
    assert etag(replace(before, use_count=7)) == etag(before)


class Overtaken:
    """A table in which somebody else changes the alias after it was read."""

    def __init__(self, ask: Asking) -> None:
        self._table = ask.table

    def __getattr__(self, name: str) -> object:
        return getattr(self._table, name)

    def get(self, local: str, domain: str) -> Alias | None:
        found = self._table.get(local, domain)
        assert found is not None
        self._table.change(found, Alias(local, domain, ("S3",), found.identifier, description="theirs", created=found.created))
        return found


@pytest.mark.parametrize(("wanted", "status"), [(None, 409), ("*", 412)])
def test_who_is_overtaken_hears_it_and_changes_nothing(ask: Asking, wanted: str | None, status: int) -> None:
    overtaken = Asking(ask.table, api(Overtaken(ask)).respond)  # type: ignore[arg-type]
    for method, body in (("PATCH", {"description": "mine"}), ("DELETE", None)):
        answer = overtaken(method, SHOP, body) if wanted is None else overtaken(method, SHOP, body, if_match=wanted)
        assert answer.status == status
    assert ask.said("GET", SHOP)["description"] == "theirs"


def test_two_processes_lose_no_change(ask: Asking, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "aliases.sqlite")]
    writers = [
        subprocess.Popen([*command, letter, "40"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for letter in "ab"
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    refused: set[int] = set()
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        refused |= set(json.loads(writer.communicate(timeout=60)[0]))
    assert refused <= {412}
    description = ask.said("GET", SHOP)["description"]
    assert sorted(description) == sorted("ab" * 40)


def test_a_user_cannot_learn_versions_of_others(ask: Asking) -> None:
    assert ask("PATCH", SHOP, {"active": True}, as_=ANN, if_match='"x"').status == 404
