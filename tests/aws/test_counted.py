"""Requests to AWS are counted by service, operation and how they ended, and timed."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sesmail.aws import counted
from sesmail.counters import snapshot
from tests.servers import moto
from tests.servers.ports import free_port


def client(service: str, endpoint: str | None = None) -> Any:
    made = boto3.client(
        service,
        endpoint_url=endpoint or moto.running(),
        region_name="eu-west-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2),
    )
    counted.count(made)
    return made


def requests(*labels: str) -> float:
    values = snapshot()["sesmail_aws_requests_total"]["values"]
    return sum(float(value) for found, value in values if found == list(labels))


def timed(*labels: str) -> float:
    values = snapshot()["sesmail_aws_request_seconds"]["values"]
    return sum(sum(value[:-1]) for found, value in values if found == list(labels))


def test_a_good_answer_is_counted_and_timed() -> None:
    before, times = requests("sqs", "ListQueues", "ok"), timed("sqs", "ListQueues")
    client("sqs").list_queues()
    assert (requests("sqs", "ListQueues", "ok"), timed("sqs", "ListQueues")) == (before + 1, times + 1)


def test_what_is_not_there_is_no_failure() -> None:
    before = requests("s3", "HeadBucket", "absent")
    with pytest.raises(ClientError):
        client("s3").head_bucket(Bucket="not-there")
    assert requests("s3", "HeadBucket", "absent") == before + 1


def test_a_refusal_is_counted_as_one() -> None:
    before = requests("sqs", "SendMessage", "refused")
    with pytest.raises(ClientError):
        client("sqs").send_message(QueueUrl=f"{moto.running()}/1/none", MessageBody="x")
    assert requests("sqs", "SendMessage", "refused") == before + 1


def test_a_server_that_is_not_there_is_unreachable() -> None:
    before = requests("sesv2", "GetAccount", "unreachable")
    with pytest.raises(BotoCoreError):
        client("sesv2", f"http://127.0.0.1:{free_port()}").get_account()
    assert requests("sesv2", "GetAccount", "unreachable") == before + 1


@pytest.mark.parametrize(
    ("status", "code", "result"),
    [
        (200, "", "ok"),
        (304, "", "ok"),
        (400, "ThrottlingException", "throttled"),
        (400, "ConditionalCheckFailedException", "conflict"),
        (400, "ValidationException", "refused"),
        (403, "AccessDenied", "refused"),
        (404, "NoSuchKey", "absent"),
        (412, "PreconditionFailed", "conflict"),
        (429, "", "throttled"),
        (500, "InternalError", "failed"),
        (503, "SlowDown", "throttled"),
        (None, "", "unreachable"),
    ],
)
def test_every_answer_has_its_word(status: int | None, code: str, result: str) -> None:
    before = requests("t", "T", result)
    counted.answered("t", "T", 0.1, status, code)
    assert requests("t", "T", result) == before + 1
