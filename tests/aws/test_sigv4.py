"""Signatures as AWS documents them, and as botocore makes them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from sesmail.aws.sigv4 import Scope, Signer, query, uri
from sesmail.interfaces import Keys

# https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
_KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
_WHEN = datetime(2013, 5, 24, tzinfo=UTC)
_HOST = "examplebucket.s3.amazonaws.com"

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("asked", "signature"),
    [
        ([("lifecycle", "")], "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ([("prefix", "J"), ("max-keys", "2")], "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)
def test_the_documented_examples_give_the_documented_signatures(asked: list[tuple[str, str]], signature: str) -> None:
    signed = dict(Signer(Scope("us-east-1")).sign("GET", _HOST, "/", query(asked), _KEYS, _WHEN))
    assert signed["authorization"].endswith(f"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}")


@given(key=_TEXT, prefix=_TEXT, token=st.one_of(st.none(), st.text("abc/+=", min_size=1, max_size=20)))
def test_any_key_and_query_is_signed_as_botocore_signs_it(key: str, prefix: str, token: str | None) -> None:
    asked = query([("list-type", "2"), ("prefix", prefix)])
    target = f"https://bucket.example/{uri(key)}?{asked}"
    request = AWSRequest("GET", target)
    auth = S3SigV4Auth(Credentials("AKIA", "secret", token), "s3", "eu-west-1")
    when = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    ours = dict(
        Signer(Scope("eu-west-1")).sign("GET", "bucket.example", "/" + uri(key), asked, Keys("AKIA", "secret", token), when)
    )
    request.context["timestamp"] = ours["x-amz-date"]
    request.headers["X-Amz-Date"] = ours["x-amz-date"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    request.headers["X-Amz-Content-SHA256"] = ours["x-amz-content-sha256"]
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)
    assert ours["authorization"].endswith(f"Signature={signature}")


def test_a_new_day_or_another_secret_gets_another_signing_key() -> None:
    signer = Signer(Scope("us-east-1"))

    def signature(keys: Keys, when: datetime) -> str:
        return dict(signer.sign("GET", _HOST, "/", "", keys, when))["authorization"].rpartition("=")[2]

    first = signature(_KEYS, _WHEN)
    assert signature(_KEYS, _WHEN.replace(day=25)) != first
    assert signature(Keys(_KEYS.access_key_id, "another"), _WHEN) != first
    assert signature(_KEYS, _WHEN) == first


def test_keys_do_not_show_their_secrets() -> None:
    assert "secret" not in repr(Keys("AKIA", "secret", "secret-token"))
