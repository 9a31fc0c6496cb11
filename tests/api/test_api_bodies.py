"""Bodies that are not what the API reads."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sesmail.aliases.table import Query
from sesmail.api.http import Request
from sesmail.errors import Limited, MailError, Unavailable
from tests.api.asking import ROOT, Asking, api, asking


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    return asking(tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"shop"',
        b"null",
        b"\xff",
        b'{"local": "a", "local": "b", "domain": "example.com"}',
        b'{"local": NaN}',
        b'{"local": ' + b"9" * 5000 + b"}",
        b"[" * 60_000,
        b'{"a":' * 10_000,
    ],
)
def test_what_is_no_json_object_is_refused(ask: Asking, body: bytes) -> None:
    for method, path in (("POST", "aliases"), ("POST", "domains"), ("PATCH", "domains/example.com"), ("POST", "destinations")):
        assert ask.detail(method, path, body)[0] == 400


def test_a_body_has_an_end(ask: Asking) -> None:
    assert ask.detail("POST", "aliases", b'{"local": "' + b"a" * 70_000 + b'"}')[0] == 413


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"]
)
def test_nothing_that_a_form_can_send_is_read(ask: Asking, kind: str) -> None:
    body = b'{"local": "shop", "domain": "example.com"}'
    assert ask.detail("POST", "aliases", body, content_type=kind)[0] == 415
    assert ask.table.find(Query(), limit=1).aliases == ()


def test_a_merge_patch_is_for_changes_alone(ask: Asking) -> None:
    kind = "application/merge-patch+json"
    assert ask.detail("POST", "domains", {"name": "b.example"}, content_type=kind)[0] == 415
    assert ask("PATCH", "domains/example.com", {"description": "ours"}, content_type=kind + "; charset=utf-8").status == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [("domains", {"name": "b.example"}), ("destinations", {"address": "a@b.example"}), ("aliases", {"local": "shop"})],
)
def test_a_query_beside_a_body_is_refused(ask: Asking, path: str, body: object) -> None:
    assert ask.detail("POST", f"{path}?active=false", body)[0] == 400


class Failing:
    """A table that fails in one way."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> object:
        def fails(*_: object, **__: object) -> None:
            raise self._error

        return fails


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Unavailable(cause="table arn:aws:x"), 503),
        (Limited(cause="arn:aws:x"), 429),
        (ValueError("arn:aws:x"), 500),
        (RecursionError(), 500),
    ],
)
def test_troubles_of_the_table_are_told_without_their_cause(
    error: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    respond = api(Failing(error)).respond  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        for path in ("aliases", "aliases/a@example.com", "aliases/x", "domains", "destinations/a@example.com"):
            answer = respond(Request("GET", f"/api/v1/{path}"), ROOT)
            assert (answer.status, answer.header("content-type")) == (status, "application/problem+json")
            assert b"arn" not in answer.body
            assert (answer.header("retry-after") is not None) == isinstance(error, MailError)
    assert ("Traceback" in caplog.text) == (status == 500)
    assert bool(caplog.text) == (status != 429)
