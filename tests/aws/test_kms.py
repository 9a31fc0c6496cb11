"""KMS as moto plays it, and as it fails."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sesmail.aws.kms import Kms
from sesmail.aws.sessions import Clients
from sesmail.errors import Unavailable
from sesmail.interfaces import Keys, StorePlace
from tests.servers import moto
from tests.servers.kms import GOOD, KEY, answering, refusal
from tests.servers.ports import free_port

PLACE = StorePlace("s3://mail", region="eu-west-1", keys=Keys("AKIA", "a-secret", "a-token"))
CONTEXT = {"aws:ses:rule-name": "in", "kms_cmk_id": "ä"}


def _kms(endpoint: str, **options: Any) -> Kms:
    return Kms(Clients(), endpoint=endpoint, pause=lambda _: None, **options)


def _key_id(endpoint: str) -> str:
    client = boto3.client("kms", endpoint_url=endpoint, region_name="eu-west-1")
    return str(client.create_key()["KeyMetadata"]["KeyId"])


def test_a_data_key_is_made_and_unwrapped_with_its_context_alone() -> None:
    endpoint = moto.running()
    kms = _kms(endpoint)
    made = kms.generate(PLACE, _key_id(endpoint), CONTEXT)
    assert len(made.plain) == 32
    assert kms.decrypt(PLACE, made.wrapped, CONTEXT) == made.plain
    for wrong in ({}, {**CONTEXT, "aws:ses:rule-name": "out"}):
        with pytest.raises(Unavailable) as refused:
            kms.decrypt(PLACE, made.wrapped, wrong)
        assert "KMS refuses Decrypt: InvalidCiphertextException" in str(refused.value)
    assert "plain" not in repr(made)


def test_the_request_is_signed_as_botocore_signs_it() -> None:
    now = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    with answering(lambda _: GOOD) as (endpoint, asked):
        assert _kms(endpoint, now=lambda: now).decrypt(PLACE, b"wrapped", CONTEXT) == KEY
    path, headers, body = asked[0]
    assert json.loads(body) == {"CiphertextBlob": "d3JhcHBlZA==", "EncryptionContext": CONTEXT}
    assert path == "/"
    assert headers["Content-Type"] == "application/x-amz-json-1.1"
    sent = {name.lower(): value for name, value in headers.items() if name.lower().startswith("x-amz-")}
    assert sent["x-amz-target"] == "TrentService.Decrypt"
    auth = SigV4Auth(Credentials("AKIA", "a-secret", "a-token"), "kms", "eu-west-1")
    request = AWSRequest("POST", endpoint + "/", data=body, headers=sent)
    request.context["timestamp"] = sent["x-amz-date"]
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    given = {name.lower(): value for name, value in headers.items()}["authorization"]
    assert "/20261121/eu-west-1/kms/aws4_request" in given.replace("Credential=AKIA", "")
    assert given.endswith(f"Signature={signature}")


@pytest.mark.parametrize(
    "trouble",
    [
        refusal("ThrottlingException"),
        refusal("KMSInternalException", 500),
        refusal("DependencyTimeoutException", 503),
        (500, b"<html>"),
        (200, b"[]"),
        None,
    ],
)
def test_what_passes_is_asked_again_and_what_stays_is_trouble(trouble: Any) -> None:
    with answering(lambda number: GOOD if number == 3 else trouble) as (endpoint, asked):
        assert _kms(endpoint).decrypt(PLACE, b"wrapped", {}) == KEY
        assert len(asked) == 3
    with answering(lambda _: trouble) as (endpoint, asked), pytest.raises(Unavailable):
        _kms(endpoint).decrypt(PLACE, b"wrapped", {})
    assert len(asked) == 4


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "DisabledException", "InvalidCiphertextException", "ExpiredTokenException"]
)
def test_a_refusal_is_asked_once_and_told_in_full_without_secrets(code: str) -> None:
    with answering(lambda _: refusal(code)) as (endpoint, asked), pytest.raises(Unavailable) as refused:
        _kms(endpoint).decrypt(PLACE, b"wrapped", {})
    assert len(asked) == 1
    assert f"KMS refuses Decrypt: {code}: not you" in str(refused.value)
    assert refused.value.public == Unavailable.default
    assert not any(secret in str(refused.value) for secret in ("a-secret", "a-token", "wrapped"))


@pytest.mark.parametrize("document", [{}, {"Plaintext": "AAAA"}, {"Plaintext": 7}, {"Plaintext": "no base64!"}])
def test_an_answer_without_a_key_is_trouble(document: dict[str, Any]) -> None:
    with answering(lambda _: (200, document)) as (endpoint, _), pytest.raises(Unavailable):
        _kms(endpoint).decrypt(PLACE, b"wrapped", {})


def test_silence_and_endless_answers_and_nobody_there_are_trouble() -> None:
    over = threading.Event()

    def silent(_: int) -> None:
        over.wait(10)

    with answering(silent) as (endpoint, _):
        with pytest.raises(Unavailable):
            _kms(endpoint, attempts=1, read_timeout=0.1).decrypt(PLACE, b"wrapped", {})
        over.set()
    with answering(lambda _: (200, b"{" * 100_000)) as (endpoint, _), pytest.raises(Unavailable):
        _kms(endpoint, attempts=1).decrypt(PLACE, b"wrapped", {})
    with pytest.raises(Unavailable):
        _kms(f"http://127.0.0.1:{free_port()}").decrypt(PLACE, b"wrapped", {})


def test_a_connection_is_kept_and_one_that_died_meanwhile_costs_no_attempt() -> None:
    with answering(lambda number: None if number == 2 else GOOD) as (endpoint, asked):
        kms = _kms(endpoint, attempts=1)
        assert [kms.decrypt(PLACE, b"wrapped", {}) for _ in range(2)] == [KEY, KEY]
        assert len(asked) == 3


def test_a_key_is_asked_for_where_it_is() -> None:
    with answering(lambda _: GOOD) as (endpoint, asked):
        arn = "arn:aws:kms:us-west-2:123456789012:key/1"
        made = _kms(endpoint).generate(PLACE, arn, {})
        assert (made.plain, made.wrapped) == (KEY, b"wrapped")
        _kms(endpoint, region="eu-north-1").decrypt(PLACE, b"wrapped", {})
    regions = [dict(headers)["authorization"].split("/")[2] for _, headers, _ in asked]
    assert regions == ["us-west-2", "eu-north-1"]


def test_no_region_of_a_login_becomes_another_host() -> None:
    place = StorePlace("s3://mail", region="evil", endpoint="http://127.0.0.1:9", keys=Keys("AKIA", "a-secret"))
    with pytest.raises(Unavailable) as refused:
        Kms(Clients()).decrypt(place, b"wrapped", {})
    assert "not a region" in str(refused.value)
