"""The function that SES asks, as Lambda runs it, with a table that people changed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sesmail.aliases.records import Alias
from sesmail.aliases.sqlite import SqliteTable
from sesmail.aws.question import MARK
from tests.aws.sesevents import lambda_event, s3_event
from tests.functions.incoming import Bucket
from tests.functions.lambdas import Function, function

HANDLER = "sesmail.functions.verdict.judge"
_STOP, _CONTINUE = {"disposition": "STOP_RULE"}, {"disposition": "CONTINUE"}


@pytest.fixture
def table(tmp_path: Path) -> Iterator[SqliteTable]:
    made = SqliteTable(str(tmp_path / "aliases.db"))
    for name, active, ignore in (("live", True, False), ("quiet", True, True), ("off", False, False)):
        made.add(Alias(name, "example.com", ("S3",), str(uuid4()), active, ignore))
    yield made
    made.close()


@contextmanager
def judging(folder: Path, **more: str) -> Iterator[Function]:
    """The function, with the table in this folder; `more` are variables, by what follows SESMAIL__."""
    given = {"ALIASES__TABLE": "sqlite", "ALIASES__FILE": str(folder / "aliases.db"), **more}
    with function({f"SESMAIL__{name}": value for name, value in given.items()}, HANDLER) as made:
        yield made


def asked(*recipients: str, mark: str | None = None) -> dict[str, Any]:
    event = lambda_event(*recipients)
    if mark is not None:
        event["Records"][0]["ses"]["mail"]["headers"].append({"name": MARK, "value": mark})
    return event


def test_it_answers_for_the_aliases_of_the_table(table: SqliteTable, tmp_path: Path) -> None:
    with judging(tmp_path, ROUTING__SEPARATORS='["+", "--"]') as judge:
        assert judge(asked("live--tag@example.com")) == _STOP
        assert judge(asked("off@example.com", "nobody@example.com")) == _CONTINUE
        assert judge(asked("quiet@example.com")) == _STOP
        assert judge(asked("quiet@example.com", mark="yes")) == _CONTINUE
        assert len(judge.fates("bounced")) == len(judge.fates("dropped")) == 1
        assert "twisted" not in judge.last["modules"]


def test_a_live_address_in_the_header_saves_no_mail_for_a_dead_one(table: SqliteTable, tmp_path: Path) -> None:
    event = asked("off@example.com")
    event["Records"][0]["ses"]["mail"]["destination"] = ["live@example.com"]
    with judging(tmp_path) as judge:
        assert judge(event) == _CONTINUE


def test_uses_are_counted_once_where_nobody_sorts_the_mail(table: SqliteTable, tmp_path: Path) -> None:
    for count, wanted in (("false", 0), ("true", 1)):
        with judging(tmp_path, VERDICT__COUNT=count) as judge:
            for mark in (None, "yes"):
                judge(asked("live@example.com", "live+x@example.com", mark=mark))
        found = table.get("live", "example.com")
        assert found is not None
        assert found.use_count == wanted


def test_what_the_table_cannot_say_is_stored_unless_it_is_to_be_bounced(table: SqliteTable, tmp_path: Path) -> None:
    table.close()
    with judging(tmp_path) as judge, judging(tmp_path, VERDICT__FAIL="closed") as closed:
        assert judge(asked("nobody@example.com")) == _CONTINUE
        assert closed(asked("nobody@example.com")) == _CONTINUE
        (tmp_path / "aliases.db").write_bytes(b"no database" * 1000)
        for file in tmp_path.glob("aliases.db-*"):
            file.unlink()
        assert judge(asked("nobody@example.com")) == _STOP
        assert closed(asked("nobody@example.com")) == _CONTINUE
        assert "cannot be found out" in judge.log()


def test_a_function_that_is_not_configured_right_bounces_nothing(tmp_path: Path) -> None:
    with judging(tmp_path, VERDICT__FIAL="closed") as judge:
        assert judge(asked("nobody@example.com")) == _STOP
        assert "SESMAIL__VERDICT__FIAL" in judge.log()


def test_an_event_of_something_else_bounces_nothing(table: SqliteTable, tmp_path: Path) -> None:
    with judging(tmp_path) as judge:
        assert judge(s3_event()) == judge({}) == _STOP


def test_it_knows_the_accounts_that_the_sorter_knows() -> None:
    bucket = Bucket()
    bucket.put("mailboxes/example.com/passwd.txt", b"tom:x\n")
    variables = bucket.environment(ROUTING__OPEN_DOMAINS="[]")
    with function(variables, HANDLER) as judge:
        assert judge(asked("Tom+x@example.com")) == _STOP
        assert judge(asked("ann@example.com")) == _CONTINUE
