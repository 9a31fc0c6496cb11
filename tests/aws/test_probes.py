"""Whether AWS allows something is found out, and nothing is changed by it: by moto with its rights checked, and by SeaweedFS."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sesmail.aws import probes
from sesmail.aws.probes import Known, Probe, Right
from tests.servers import moto, seaweed, ses
from tests.servers.rights import REGION, User, checked, client


@dataclass
class There:
    """What the probes are about; `as_user` asks as somebody who has no right but those he is given."""

    bucket: str
    queue: str
    topic: str
    key: str
    table: str
    user: User

    def as_user(self, service: str) -> Any:
        keys = {
            "aws_access_key_id": self.user.keys["access_key_id"],
            "aws_secret_access_key": self.user.keys["secret_access_key"],
        }
        return boto3.client(service, endpoint_url=moto.running(), region_name=REGION, **keys)

    @property
    def state(self) -> object:
        """All that a probe could have changed."""
        objects = client("s3").list_object_versions(Bucket=self.bucket)
        counts = client("sqs").get_queue_attributes(QueueUrl=self.queue, AttributeNames=["All"])["Attributes"]
        return (
            [one["Key"] for one in objects.get("Versions", ())],
            objects.get("DeleteMarkers"),
            {name: value for name, value in counts.items() if name.startswith("Approximate")},
            client("dynamodb").scan(TableName=self.table)["Items"],
        )


@pytest.fixture(scope="module")
def there() -> There:
    name = token_hex(4)
    s3, bucket = client("s3"), f"probed-{name}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="mailboxes/one", Body=b"mail")
    queue = client("sqs").create_queue(QueueName=f"probed-{name}")["QueueUrl"]
    client("sqs").send_message(QueueUrl=queue, MessageBody="a notice")
    key = {"AttributeName": "sub_domain", "KeyType": "HASH"}, {"AttributeName": "alias_address", "KeyType": "RANGE"}
    client("dynamodb").create_table(
        TableName=f"probed-{name}",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=list(key),
        AttributeDefinitions=[{"AttributeName": one["AttributeName"], "AttributeType": "S"} for one in key],
    )
    topic = client("sns").create_topic(Name=f"probed-{name}")["TopicArn"]
    sealing = client("kms").create_key()["KeyMetadata"]["Arn"]
    return There(bucket, queue, topic, sealing, f"probed-{name}", User())


PROBES: dict[str, tuple[str, Callable[[There], Probe]]] = {
    "s3:ListBucket": ("s3", lambda there: probes.list_bucket({"Bucket": there.bucket}, "mailboxes/")),
    "s3:GetObject": ("s3", lambda there: probes.get_object({"Bucket": there.bucket}, "mailboxes/", "mailboxes/absent")),
    "s3:PutObject": ("s3", lambda there: probes.put_object({"Bucket": there.bucket}, "mailboxes/absent")),
    "s3:DeleteObject": ("s3", lambda there: probes.delete_object({"Bucket": there.bucket}, "mailboxes/absent")),
    "sqs:ReceiveMessage": ("sqs", lambda there: probes.receive_message(there.queue)),
    "sqs:DeleteMessage": ("sqs", lambda there: probes.delete_message(there.queue)),
    "sqs:ChangeMessageVisibility": ("sqs", lambda there: probes.change_message_visibility(there.queue)),
    "sns:ConfirmSubscription": ("sns", lambda there: probes.confirm_subscription(there.topic)),
    "kms:GenerateDataKey": ("kms", lambda there: probes.generate_data_key(there.key)),
    **{
        action: ("dynamodb", lambda there, action=action: probes.table(action, there.table))  # type: ignore[misc]
        for action in (f"dynamodb:{name}" for name in ("GetItem", "Query", "Scan", "PutItem", "UpdateItem", "DeleteItem"))
    },
}


def asked_with(there: There, action: str, probe: Probe, asking: Any) -> Known:
    """With this right and no other."""
    there.user.allow({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
    with checked():
        return probe.ask(asking)


@pytest.mark.parametrize("action", PROBES)
def test_a_right_is_known_to_be_there_or_not_and_nothing_is_changed(there: There, action: str) -> None:
    service, make = PROBES[action]
    before = there.state
    asking = there.as_user(service)
    denied = asked_with(there, "iam:GetUser", make(there), asking)
    allowed = asked_with(there, action, make(there), asking)
    assert (denied.right, allowed.right) == (Right.DENIED, Right.ALLOWED), (denied, allowed)
    assert "AccessDenied" in denied.said or "not authorized" in denied.said
    assert there.state == before


def test_whether_kms_opens_shows_with_a_real_message_alone_unless_it_is_denied(there: There) -> None:
    asking = there.as_user("kms")
    denied = asked_with(there, "iam:GetUser", probes.decrypt(there.key), asking)
    unsure = asked_with(there, "kms:Decrypt", probes.decrypt(there.key), asking)
    assert (denied.right, unsure.right) == (Right.DENIED, Right.UNSURE)


@pytest.mark.parametrize("action", ["s3:ListBucket", "s3:PutObject", "sqs:DeleteMessage", "dynamodb:GetItem"])
def test_what_is_not_there_is_neither_allowed_nor_denied(there: There, action: str) -> None:
    service, make = PROBES[action]
    absent = There(f"{there.bucket}-not", f"{there.queue}-not", there.topic, there.key, f"{there.table}-not", there.user)
    with pytest.raises(ClientError) as raised:
        make(absent).ask(client(service))
    assert probes.code_of(raised.value).replace("AWS.SimpleQueueService.", "") in {
        "NoSuchBucket",
        "NonExistentQueue",
        "ResourceNotFoundException",
    }


@pytest.fixture
def other() -> tuple[Any, str]:
    server = seaweed.running()
    return server.client(), server.make_bucket(f"probed-{token_hex(4)}")


def test_another_server_than_aws_is_not_changed_either(other: tuple[Any, str]) -> None:
    s3, name = other
    where = {"Bucket": name}
    s3.put_object(Bucket=name, Key="new/one", Body=b"mail")
    for probe in (
        probes.list_bucket(where, ""),
        probes.get_object(where, "new/", "new/absent"),
        probes.put_object(where, "new/absent"),
        probes.delete_object(where, "new/absent"),
        probes.get_object(where, "old/", "old/absent"),
    ):
        assert probe.ask(s3).right is Right.ALLOWED
    listed = seaweed.running().client().list_objects_v2(Bucket=name)["Contents"]
    assert [one["Key"] for one in listed] == ["new/one"]


@pytest.mark.parametrize(
    ("service", "operation", "probe"),
    [
        ("sesv2", "SendEmail", probes.send_email("example.com", configuration_set="outgoing")),
        ("sesv2", "PutSuppressedDestination", probes.put_suppressed_destination()),
        ("sesv2", "GetAccount", probes.get_account()),
    ],
)
def test_ses_is_asked_without_sending_anything(service: str, operation: str, probe: Probe) -> None:
    with ses.running() as server:
        allowed = probe.ask(ses.client(server.endpoint, service))
        server.plant(ses.Fault("AccessDeniedException", 403, "no identity-based policy allows it", operation=operation))
        denied = probe.ask(ses.client(server.endpoint, service))
        assert (allowed.right, denied.right) == (Right.ALLOWED, Right.DENIED)
        assert (server.sent, server.suppressed) == ([], {})


def test_a_bounce_is_asked_about_with_a_message_that_never_was() -> None:
    with ses.running() as server:
        server.plant(ses.Fault("MessageRejected", 400, "no such message", operation="SendBounce"))
        assert probes.send_bounce("postmaster@example.com").ask(ses.client(server.endpoint, "ses")).right is Right.ALLOWED
        assert server.bounces == []


def test_what_aws_says_is_one_line_of_ascii() -> None:
    said: Any = {"Error": {"Code": "AccessDenied", "Message": "first\r\nsecond \x1b[31m\u202e" + "x" * 1000}}
    words = probes.words_of(ClientError(said, "GetObject"))
    assert words.isascii()
    assert words.isprintable()
    assert len(words) <= 300
    assert json.dumps(words)
