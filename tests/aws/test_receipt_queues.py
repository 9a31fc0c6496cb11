"""What lies in a real queue, whoever put it there, is read: S3, and SNS with and without raw delivery."""

from __future__ import annotations

import json
import uuid
from typing import Any

import boto3
import pytest

from sesmail.aws.events import read
from sesmail.aws.receipt import Incoming, Notice
from tests.aws import sesevents
from tests.servers import moto


def _client(service: str) -> Any:
    return boto3.client(service, endpoint_url=moto.running(), region_name="eu-west-1")


def _queue() -> tuple[str, str]:
    url = _client("sqs").create_queue(QueueName=f"q{uuid.uuid4().hex}")["QueueUrl"]
    return url, _client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def _bodies(url: str) -> list[str]:
    answer = _client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5)
    return [message["Body"] for message in answer.get("Messages", [])]


@pytest.mark.parametrize("raw", ["true", "false"])
def test_a_notice_is_read_from_a_queue_with_and_without_raw_delivery(raw: str) -> None:
    url, arn = _queue()
    sns = _client("sns")
    topic = sns.create_topic(Name=f"t{uuid.uuid4().hex}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": raw})
    sns.publish(TopicArn=topic, Message=json.dumps(sesevents.notice("tom@example.com")))
    (body,) = _bodies(url)
    assert ("Signature" in body) is (raw == "false")
    (found,) = read(body, Incoming("other"))
    assert isinstance(found, Notice)
    assert (found.message_id, found.recipients) == (sesevents.MESSAGE_ID, ("tom@example.com",))


def test_what_s3_itself_tells_is_read_from_a_queue() -> None:
    url, arn = _queue()
    s3, bucket = _client("s3"), f"b{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    wanted = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=wanted)
    key = "new/grüße +%.eml"
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    found = [event for body in _bodies(url) for event in read(body, Incoming(bucket, "new/"))]
    assert [(event.bucket, event.key) for event in found if isinstance(event, Notice)] == [(bucket, key)]
