"""Rows of files say what they mean, and whatever else is in them is refused line by line."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.aliases.records import Alias
from sesmail.aliases.rowfiles import COLUMNS, Blanks, csv_lines, json_lines, of_csv, of_json
from sesmail.errors import Malformed
from tests.aliases.table_contract import alias

BLANKS = Blanks(1000, lambda: "made-up", "tom")


def one(rows: Any) -> Alias | Malformed:
    ((_, found),) = rows
    assert isinstance(found, Alias | Malformed)
    return found


def test_what_a_row_does_not_say_is_filled_in() -> None:
    blank = Alias("bob", "example.com", ("S3",), "made-up", owner="tom", created=1000, modified=1000)
    assert one(of_json(['{"address": "Bob@Example.com"}\n'], BLANKS)) == blank
    assert one(of_csv(["full_address\n", "Bob@Example.com\n"], BLANKS)) == blank
    assert one(of_csv(["subdomain,alias_address,created\n", "example.com,bob,NULL\n"], BLANKS)) == blank


@pytest.mark.parametrize("form", [(csv_lines, of_csv), (json_lines, of_json)])
def test_what_was_written_is_read(form: tuple[Any, Any]) -> None:
    write, read = form
    whole = alias(
        destinations=("a@example.net", "S3"),
        active=False,
        ignore=True,
        owner="eve@example.com",
        description='für "Käse", Wurst; \\N',
        use_count=7,
        created=1600000000,
        modified=1600000100,
    )
    lines = io.StringIO("".join(write([whole, alias("tim@example.com", owner="x")])), newline="")
    assert [row for _, row in read(lines, BLANKS)] == [whole, alias("tim@example.com", owner="x")]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("2020-09-13 12:26:40", 1600000000),
        ("2020-09-13T12:26:40Z", 1600000000),
        ("2020-09-13 14:26:40+02:00", 1600000000),
        ("1600000000", 1600000000),
        (1600000000, 1600000000),
        ("1800-01-01 00:00:00", 0),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(said: object, seconds: int) -> None:
    found = one(of_json([json.dumps({"address": "bob@example.com", "created": said})], BLANKS))
    assert isinstance(found, Alias)
    assert found.created == seconds


@pytest.mark.parametrize("lines", [[], ["a,b\n"], ["alias_address\n", "bob\n"], ["\n"]])
def test_a_table_without_addresses_is_no_table_of_aliases(lines: list[str]) -> None:
    with pytest.raises(Malformed, match="the first line names the columns"):
        list(of_csv(lines, BLANKS))


def test_a_line_with_too_many_values_is_refused_alone() -> None:
    rows = list(of_csv(["full_address\n", "a@example.com,b\n", "b@example.com\n"], BLANKS))
    assert [number for number, _ in rows] == [2, 3]
    assert isinstance(rows[0][1], Malformed)
    assert isinstance(rows[1][1], Alias)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
NAMES = st.sampled_from(
    ["address", "destinations", "active", "ignore", "owner", "description", "identifier", "created", "modified", "use_count"]
)


@given(st.dictionaries(NAMES, VALUES | st.just("bob@example.com") | st.just(["S3"])))
def test_any_object_is_an_alias_or_refused(said: dict[str, Any]) -> None:
    assert one(of_json([json.dumps(said)], BLANKS)) is not None


@given(st.lists(st.text()))
def test_any_lines_are_read_to_their_end(lines: list[str]) -> None:
    assert all(isinstance(row, Alias | Malformed) for _, row in of_json(lines, BLANKS))
    assert all(isinstance(row, Alias | Malformed) for _, row in of_csv([",".join(COLUMNS) + "\n", *lines], BLANKS))
