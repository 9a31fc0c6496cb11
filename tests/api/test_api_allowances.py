"""How many aliases a user may have."""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sesmail.aliases.records import Alias
from sesmail.aliases.table import Page, Query, Table
from sesmail.api.allowances import BELIEVED
from sesmail.api.http import Caller
from sesmail.api.respond import Api
from tests.api.asking import ANN, BOB, NOW, RIGHTS, Asking, asking

MOST = 3


class Counted:
    """A table that knows how often it was searched."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.searches = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)

    def find(self, query: Query, *, limit: int, after: str = "") -> Page:
        self.searches += 1
        # As DynamoDB may answer: not all at once, and a page without any.
        return self.table.find(query, limit=1, after=after)


class Clock:
    now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ask(tmp_path: Path, clock: Clock) -> Asking:
    usual = asking(tmp_path)
    numbers = itertools.count(1)
    table: Any = Counted(usual.table)
    api = Api(table, now=clock, new_id=lambda: f"id-{next(numbers)}", rights=replace(RIGHTS, most_aliases=MOST), tacomail=True)
    return Asking(table, api.respond)


def make(ask: Asking, local: str, caller: Caller = ANN, **more: object) -> int:
    return ask("POST", "aliases", {"local": local, "domain": "example.com", **more}, as_=caller).status


def test_a_user_has_so_many_and_hears_what_to_do(ask: Asking) -> None:
    assert [make(ask, f"a{number}") for number in range(MOST + 1)] == [201] * MOST + [403]
    refused = ask("POST", "aliases", {"local": "more", "domain": "example.com"}, as_=ANN)
    assert f"{MOST} aliases" in json.loads(refused.body)["detail"]
    theirs = {"alias": "more", "domain": "example.com", "destination": "ann@example.com"}
    assert replace(ask, base="/")("POST", "alias", theirs, as_=ANN).status == 403
    assert make(ask, "others", BOB) == 201


def test_an_administrator_makes_as_many_as_he_likes_also_for_others(ask: Asking) -> None:
    for number in range(MOST + 2):
        assert make(ask, f"free{number}", ask.caller) == 201
        assert make(ask, f"gift{number}", ask.caller, owner=ANN.name) == 201
    assert make(ask, "own") == 403


def test_who_removes_one_may_make_another_and_all_may_be_changed(ask: Asking) -> None:
    for number in range(MOST):
        make(ask, f"a{number}")
    assert ask("PATCH", "aliases/a0@example.com", {"local": "b0"}, as_=ANN).status == 200
    assert make(ask, "more") == 403
    assert ask("DELETE", "aliases/b0@example.com", as_=ANN).status == 204
    assert [make(ask, "more"), make(ask, "still-more")] == [201, 403]


def test_what_was_not_made_does_not_count(ask: Asking) -> None:
    make(ask, "taken", BOB)
    assert [make(ask, "taken") for _ in range(MOST)] == [409] * MOST
    assert [make(ask, f"a{number}") for number in range(MOST)] == [201] * MOST


def test_the_table_is_searched_now_and_then_and_not_each_time(ask: Asking, clock: Clock) -> None:
    table: Any = ask.table
    for number in range(MOST - 1):
        table.table.add(Alias(f"old{number}", "example.com", ("ann@example.com",), f"old-{number}", owner=ANN.name))
    assert make(ask, "first") == 201
    searches = table.searches
    assert searches == MOST - 1
    assert make(ask, "second") == 403
    assert table.searches == searches
    table.remove(table.get("old0", "example.com"))
    clock.now += BELIEVED - 1
    assert make(ask, "second") == 403
    clock.now += 1
    assert make(ask, "second") == 201


def test_many_at_once_are_no_way_around_it(ask: Asking) -> None:
    begin = threading.Barrier(8)
    statuses: list[int] = []

    def run(number: int) -> None:
        begin.wait()
        statuses.append(make(ask, f"a{number}"))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] * MOST + [403] * (8 - MOST)
