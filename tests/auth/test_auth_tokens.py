"""Signed tokens: vectors, times, algorithms and shapes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.auth import tokens
from sesmail.auth.grants import Incomplete, grant
from sesmail.auth.tokens import BadToken

VECTOR = b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJwcm92aWRlciI6Im5vbmUifQ.JlXM7PHCpLFE9eNYtCh2x2TvDpM8eUgGuq4_16w0LW0"
NOW = 1_700_000_000
GRANTED = {
    "awsAccessKeyID": "AKIAIOSFODNN7EXAMPLE",
    "awsSecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "region": "eu-central-1",
    "bucket": "aws-ses-pop3-server",
}


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def signed(payload: bytes, *, secret: bytes = b"secret", header: Any = None, digest: str = "sha256") -> bytes:
    """A token made without any library."""
    head = header if isinstance(header, bytes) else json.dumps(header or {"alg": "HS256", "typ": "JWT"}).encode()
    text = b64(head) + b"." + b64(payload)
    return text + b"." + b64(hmac.digest(secret, text, digest))


def token(**claims: Any) -> bytes:
    return signed(json.dumps(claims).encode())


def read(data: bytes, now: float = NOW, **options: Any) -> Any:
    return tokens.read(data, "secret", now, **options)


def test_the_published_vector_is_read() -> None:
    assert read(VECTOR) == {"provider": "none"}
    assert tokens.provider(read(VECTOR)) == "none"
    assert tokens.make({"provider": "none"}, "secret").encode().split(b".")[1] == VECTOR.split(b".")[1]


@pytest.mark.parametrize(("name", "digest"), [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")])
def test_three_algorithms_count_as_signed(name: str, digest: str) -> None:
    assert read(signed(b"{}", header={"alg": name}, digest=digest)) == {}
    assert read(tokens.make({"a": 1}, "secret", name).encode()) == {"a": 1}


@pytest.mark.parametrize(
    "name", ["none", "None", "NONE", "RS256", "ES256", "PS256", "EdDSA", "hs256", "HS224", "", None, 1, [], {}]
)
def test_no_other_algorithm_does(name: object) -> None:
    with pytest.raises(BadToken):
        read(signed(b"{}", header={"alg": name}))
    with pytest.raises(BadToken):
        read(b64(json.dumps({"alg": name}).encode()) + b"." + b64(b"{}") + b".")


@pytest.mark.parametrize(
    ("claims", "valid"),
    [
        ({}, True),
        ({"exp": NOW}, True),
        ({"exp": NOW - 1}, False),
        ({"exp": 0}, True),
        ({"exp": None}, True),
        ({"exp": -1}, False),
        ({"nbf": NOW}, True),
        ({"nbf": NOW + 1}, False),
        ({"iat": NOW}, True),
        ({"iat": NOW + 1}, False),
        ({"exp": str(NOW + 9)}, False),
        ({"exp": NOW + 9.5}, False),
        ({"exp": True}, False),
        ({"nbf": []}, False),
        ({"aud": "x", "iss": 1, "sub": {}, "jti": None, "more": [1]}, True),
    ],
)
def test_times_are_whole_seconds_without_leeway_and_nothing_else_is_looked_at(claims: dict[str, Any], valid: bool) -> None:
    if valid:
        assert read(token(**claims), NOW + 0.9) == claims
    else:
        with pytest.raises(BadToken):
            read(token(**claims), NOW + 0.9)


def test_a_greatest_age_wants_to_know_the_age() -> None:
    assert read(token(iat=NOW - 60), max_age=60)
    for claims in ({"iat": NOW - 61}, {}, {"iat": 0}):
        with pytest.raises(BadToken):
            read(token(**claims), max_age=60)


def test_an_empty_secret_verifies_and_signs_nothing() -> None:
    with pytest.raises(BadToken):
        tokens.read(signed(b"{}", secret=b""), "", NOW)
    with pytest.raises(ValueError, match="secret"):
        tokens.make({}, "")


def test_another_secret_is_not_ours() -> None:
    with pytest.raises(BadToken, match="signature"):
        read(signed(b"{}", secret=b"other"))


@pytest.mark.parametrize("payload", [b"", b"[]", b"1", b"null", b'"x"', b"\xff", b'{"exp": NaN}', b"{", b"[" * 20_000])
def test_claims_that_are_no_object_are_refused(payload: bytes) -> None:
    with pytest.raises(BadToken):
        read(signed(payload))


@pytest.mark.parametrize(
    ("claimed", "meant"), [(None, "s3"), ("", "s3"), ("s3", "s3"), ("S3", "s3"), ("None", "none"), ("DEMO", "demo")]
)
def test_providers_are_known_in_any_case(claimed: str | None, meant: str) -> None:
    assert tokens.provider({"provider": claimed}) == meant


@pytest.mark.parametrize("claimed", ["s4", " s3", 0, False, [], {}])
def test_another_provider_is_refused(claimed: object) -> None:
    with pytest.raises(BadToken):
        tokens.provider({"provider": claimed})


@pytest.mark.parametrize(
    "password",
    [
        VECTOR,
        VECTOR + b"x",
        VECTOR[:60],
        b" " + VECTOR + b"\t",
        signed(b"{}", header={"alg": "none"}),
        b64(b"{}") + b".",
        b64(b"{}") + b"...",
    ],
)
def test_good_and_bad_tokens_have_their_shape(password: bytes) -> None:
    assert tokens.shaped(password)


@pytest.mark.parametrize(
    "password",
    [b"", b".", b"..", b"a.b.c", b"eyes.wide.shut", b"s3cret", VECTOR.split(b".")[0], b"\xff.\xfe", b64(b"[]") + b".x.y"],
)
def test_passwords_have_not(password: bytes) -> None:
    assert not tokens.shaped(password)


@given(st.binary(), st.binary())
def test_no_password_makes_an_error(one: bytes, other: bytes) -> None:
    for password in (one, b64(one) + b"." + b64(other), b64(b"{" + one) + b"." + other, signed(one, header=other)):
        tokens.shaped(password)
        try:
            read(password)
        except BadToken:
            continue


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
_NAMES = st.sampled_from(
    ["exp", "nbf", "iat", "provider", "awsAccessKeyID", "awsSecretAccessKey", "awsSessionToken", "region", "bucket", "prefix"]
)


@given(st.dictionaries(_NAMES, _JSON))
def test_no_signed_claims_make_an_error(claims: dict[str, Any]) -> None:
    try:
        found = read(token(**claims))
        tokens.provider(found)
        grant(found)
    except (BadToken, Incomplete):
        pass


@given(st.dictionaries(st.text(), _JSON))
def test_no_header_makes_an_error(header: dict[str, Any]) -> None:
    try:
        read(signed(b"{}", header=header))
        read(signed(b"{}", header={"alg": "HS256", **header}))
    except BadToken:
        pass


def test_why_a_token_is_refused_repeats_nothing_of_it() -> None:
    for data in (b"s3cret.s3cret.s3cret", signed(b'{"exp": "s3cret"}'), signed(b"s3cret"), signed(b'{"provider":"s3cret"}')):
        with pytest.raises(BadToken) as caught:
            tokens.provider(read(data))
        assert "s3cret" not in str(caught.value)


def test_a_grant_has_its_keys_and_its_place() -> None:
    found = grant({**GRANTED, "prefix": "mail", "awsSessionToken": "", "endpoint": "http://evil", "more": 1})
    assert (found.bucket, found.region, found.prefix, found.keys.session_token) == (
        "aws-ses-pop3-server",
        "eu-central-1",
        "mail/",
        None,
    )
    assert not hasattr(found, "endpoint")
    assert "EXAMPLEKEY" not in repr(found)


@pytest.mark.parametrize("missing", ["awsAccessKeyID", "awsSecretAccessKey", "bucket"])
def test_without_keys_or_bucket_nothing_is_granted(missing: str) -> None:
    for rest in (
        {key: value for key, value in GRANTED.items() if key != missing},
        {**GRANTED, missing: ""},
        {**GRANTED, missing: 1},
    ):
        with pytest.raises(Incomplete, match=missing):
            grant(rest)


@pytest.mark.parametrize("name", ["awsAccessKeyID", "awsSecretAccessKey", "awsSessionToken", "prefix"])
@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\0b", "a\nb", "\ud800"])
def test_what_would_end_a_header_or_a_path_is_not_granted(name: str, value: str) -> None:
    with pytest.raises(Incomplete, match=name):
        grant({**GRANTED, name: value})


def test_the_signature_is_the_one_of_the_standard() -> None:
    head, claims, signature = tokens.make({"a": "b"}, "secret", "HS384").encode().split(b".")
    assert signature == b64(hmac.new(b"secret", head + b"." + claims, hashlib.sha384).digest())
