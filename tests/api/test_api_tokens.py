"""Tokens of programs that use the API."""

from __future__ import annotations

import logging

import jwt
import pytest

from sesmail.api.http import Caller
from sesmail.api.tokens import bearer, caller, claims
from sesmail.auth import tokens
from sesmail.errors import BadLogin

SECRET = "a secret that is long enough for HS256, or nearly so"
NOW = 1_700_000_000
GOOD: dict[str, object] = {"email": "Ann@Example.com", "aud": "sesmail-api", "exp": NOW + 60}


def test_a_token_says_who_asks_and_that_he_did_himself() -> None:
    assert caller(tokens.make(GOOD, SECRET), SECRET, NOW) == Caller("ann@example.com", address="ann@example.com")


def test_what_is_made_is_taken() -> None:
    token = tokens.make(claims("Ann@Example.com", NOW + 60), SECRET)
    assert caller(token, SECRET, NOW, {"ann@example.com"}).admin


def test_the_configuration_says_who_is_an_administrator_and_no_token() -> None:
    token = tokens.make({**GOOD, "admin": True, "role": "admin"}, SECRET)
    assert not caller(token, SECRET, NOW, {"bob@example.com"}).admin
    assert caller(token, SECRET, NOW, {"ann@example.com"}).admin


def test_a_token_is_for_the_account_that_has_its_address() -> None:
    accounts = {"ann@example.com": "anne"}
    found = caller(tokens.make(GOOD, SECRET), SECRET, NOW, {"anne"}, accounts.__getitem__)
    assert found == Caller("anne", admin=True, address="ann@example.com")


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": None},
        {"aud": "sesmail"},
        {"aud": ["sesmail-api"]},
        {"exp": None},
        {"exp": 0},
        {"exp": NOW - 1},
        {"exp": "never"},
        {"nbf": NOW + 1},
        {"email": None},
        {"email": ""},
        {"email": "ann"},
        {"email": ["ann@example.com"]},
        {"awsAccessKeyID": "AKIANOBODYNOBODY0000"},
    ],
)
def test_what_is_no_token_of_the_api_is_refused(changed: dict[str, object], caplog: pytest.LogCaptureFixture) -> None:
    said = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    token = tokens.make(said, SECRET)
    with caplog.at_level(logging.INFO), pytest.raises(BadLogin):
        caller(token, SECRET, NOW)
    assert token not in caplog.text
    assert "refused" in caplog.text


def test_a_token_for_pop3_is_refused_even_where_one_secret_is_used_for_both() -> None:
    keys = {"awsAccessKeyID": "AKIANOBODYNOBODY0000", "awsSecretAccessKey": "s", "bucket": "mail"}
    for said in ({**keys, "email": "ann@example.com"}, {"provider": "none", "email": "ann@example.com", "exp": NOW + 60}):
        with pytest.raises(BadLogin):
            caller(tokens.make(said, SECRET), SECRET, NOW)


def test_only_our_own_signature_counts() -> None:
    unsigned = jwt.encode(GOOD, "", algorithm="none")
    for token in (tokens.make(GOOD, SECRET + "x"), unsigned, "", "a.b.c", "é", tokens.make(GOOD, SECRET) + "x", "x" * 5000):
        with pytest.raises(BadLogin):
            caller(token, SECRET, NOW)


def test_without_a_secret_there_are_no_tokens() -> None:
    with pytest.raises(BadLogin):
        caller(tokens.make(GOOD, SECRET), "", NOW)


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", None), ("Bearer", None), ("Bearer ", None), ("", None)],
)
def test_a_bearer_token_is_found_in_its_header(header: str, token: str | None) -> None:
    assert bearer(header) == token
