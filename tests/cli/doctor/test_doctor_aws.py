"""What the doctor says of credentials, buckets, queues, tables and the clock, by moto and SeaweedFS, sound and broken."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from secrets import token_hex
from typing import Any

import boto3
import pytest

from sesmail.aws.late import ApiPlace
from sesmail.cli.doctor import aws, bucket, queues, sealed, tables
from sesmail.cli.doctor.aws import Aws
from sesmail.cli.doctor.finding import Finding, State
from sesmail.cli.doctor.together import Look, together
from sesmail.config.stores import default_store
from sesmail.config.table import Config
from sesmail.interfaces import Keys
from tests.cli.doctor.patients import KEYS, REGION, bad, config, in_bucket, the
from tests.servers import moto, seaweed, sqs
from tests.servers.rights import User, checked, client

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"}
    ],
}


def made(region: str = REGION) -> str:
    name = f"doctor-{token_hex(4)}"
    s3 = boto3.client("s3", endpoint_url=moto.running(), region_name=region)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    return name


def looked_at(asked: Config) -> list[Finding]:
    return together([Look("bucket", lambda: bucket.bucket(default_store(asked), Aws(asked)))], 30)


def stored(name: str, **more: Any) -> Config:
    return config(storage=in_bucket(moto.running(), name, **more))


def test_a_bucket_that_is_there_is_right() -> None:
    assert [one.state for one in looked_at(stored(made()))] == [State.GOOD]


def test_a_bucket_that_is_not_there_is_to_be_made() -> None:
    (wrong,) = bad(looked_at(stored("nobody-has-it")))
    assert wrong.mend == f"aws s3 mb s3://nobody-has-it --region {REGION}"


def test_a_bucket_of_another_region_is_told_with_the_option() -> None:
    (wrong,) = bad(looked_at(stored(made("eu-north-1"))))
    assert wrong.mend == "storage.region: eu-north-1"


def test_a_bucket_that_may_not_be_listed_is_told_with_the_statement() -> None:
    name, user = made(), User()
    user.allow({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"}]})
    with checked():
        (wrong,) = bad(looked_at(stored(name, **user.keys)))
    assert json.loads(wrong.mend) == {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{name}"}


def test_a_bucket_of_another_server_is_right_and_a_wrong_key_is_not() -> None:
    server = seaweed.running()
    keys = {"access_key_id": server.access_key, "secret_access_key": server.secret_key}
    name = server.make_bucket(f"doctor-{token_hex(4)}")
    right = config(storage=in_bucket(server.endpoint, name, **keys))
    assert [one.state for one in looked_at(right)] == [State.GOOD]
    assert bad(looked_at(config(storage=in_bucket(server.endpoint, name, **{**keys, "secret_access_key": "wrong"}))))


def test_a_server_that_is_not_there_is_unknown() -> None:
    assert [one.state for one in looked_at(config(storage=in_bucket("http://127.0.0.1:9")))] == [State.UNKNOWN]


def arrived(asked: Config, now: float = 0.0) -> list[Finding]:
    return list(bucket.arrivals(asked, Aws(asked), lambda: now or time.time()))


def test_the_setup_object_shows_that_ses_can_write() -> None:
    name = made()
    client("s3").put_object(Bucket=name, Key="new/AMAZON_SES_SETUP_NOTIFICATION", Body=b"hello")
    (only,) = arrived(stored(name))
    assert (only.state, "setup object" in only.said) == (State.GOOD, True)


def test_an_empty_bucket_is_worth_a_note() -> None:
    (only,) = arrived(stored(made()))
    assert only.state is State.NOTE
    assert "AMAZON_SES_SETUP_NOTIFICATION" in only.said


def test_mail_that_nobody_sorts_is_wrong_when_it_gets_old() -> None:
    name = made()
    client("s3").put_object(Bucket=name, Key="new/one", Body=b"mail")
    (fresh,), (old,) = arrived(stored(name)), arrived(stored(name), time.time() + 86_400)
    assert (fresh.state, old.state) == (State.GOOD, State.WRONG)
    assert old.mend.startswith("sesmail sort --once")


def told(url: str | None, dead: str | None = None) -> Config:
    given = {"url": url, "dead_letter_url": dead, "endpoint": moto.running(), "region": REGION}
    return config(storage=in_bucket(moto.running()), queue=given)


def of_queue(queue: sqs.TestQueue, dead: sqs.TestQueue | None = None) -> list[Finding]:
    asked = told(queue.url, dead.url if dead else None)
    return list(queues.notices(asked, queue.url, Aws(asked)))


def let_sns_in(queue: sqs.TestQueue) -> sqs.TestQueue:
    sqs.client().set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": json.dumps(POLICY)})
    return queue


def test_a_queue_that_takes_notices_and_has_one_for_failures_is_right() -> None:
    dead = sqs.make_queue()
    queue = let_sns_in(sqs.make_queue(dead=dead))
    queue.send("a notice")
    found = of_queue(queue, dead)
    assert {one.state for one in found} == {State.GOOD}
    assert the(found, "queue").said.startswith("1 notices wait")
    assert queue.counts() == (1, 0)


def test_a_queue_without_one_for_failures_is_told_with_the_command() -> None:
    dead, queue = sqs.make_queue(), let_sns_in(sqs.make_queue())
    (wrong,) = bad(of_queue(queue, dead))
    assert f"aws sqs set-queue-attributes --queue-url {queue.url}" in wrong.mend
    given = json.loads(wrong.mend.partition("'")[2].rpartition("'")[0])
    assert json.loads(given["RedrivePolicy"]) == {"deadLetterTargetArn": dead.arn, "maxReceiveCount": 10}


def test_failures_that_go_elsewhere_are_wrong_and_unseen_ones_a_note() -> None:
    dead, other = sqs.make_queue(), sqs.make_queue()
    queue = let_sns_in(sqs.make_queue(dead=dead))
    (wrong,) = bad(of_queue(queue, other))
    assert f"--queue-name {dead.name}" in wrong.mend
    assert the(of_queue(queue), "redrive").state is State.NOTE


def test_a_queue_into_which_nobody_may_put_notices_is_told_with_the_statement() -> None:
    dead = sqs.make_queue()
    queue = sqs.make_queue(dead=dead)
    (wrong,) = bad(of_queue(queue, dead))
    assert json.loads(wrong.mend)["Resource"] == queue.arn


def test_a_queue_that_is_not_there_is_wrong() -> None:
    asked = told(f"{moto.running()}/123456789012/nobody-has-it")
    (wrong,) = bad(queues.notices(asked, str(asked.queue.url), Aws(asked)))
    assert "get-queue-url --queue-name nobody-has-it" in wrong.mend


def test_a_queue_that_may_not_be_seen_is_a_note_with_the_statement() -> None:
    queue, user = sqs.make_queue(), User()
    user.allow({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "*"}]})
    given = {"url": queue.url, "endpoint": moto.running(), "region": REGION, **user.keys}
    asked = config(storage=in_bucket(moto.running()), queue=given)
    with checked():
        (only,) = queues.notices(asked, queue.url, Aws(asked))
    assert only.state is State.NOTE
    assert json.loads(only.mend) == {"Effect": "Allow", "Action": "sqs:GetQueueAttributes", "Resource": queue.arn}


def test_dead_letters_are_wrong_until_they_are_tried_again() -> None:
    dead = sqs.make_queue()
    asked = told(None, dead.url)
    (empty,) = queues.dead_letters(asked, dead.url, Aws(asked))
    dead.send("one", "two")
    (full,) = queues.dead_letters(asked, dead.url, Aws(asked))
    assert (empty.state, full.state) == (State.GOOD, State.WRONG)
    assert (full.said, full.mend) == ("2 notices failed too often", "sesmail sort --dlq")


def kept_in(name: str) -> list[Finding]:
    asked = config(
        storage=in_bucket(moto.running()), aliases={"table": "dynamodb", "dynamodb_table": name, "endpoint": moto.running()}
    )
    return list(tables.in_dynamodb(asked, Aws(asked)))


def make_table(*keys: str) -> str:
    name = f"doctor-{token_hex(4)}"
    client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
    )
    return name


def test_a_table_must_be_there_and_have_the_keys_of_aliases() -> None:
    assert [one.state for one in kept_in(make_table("sub_domain", "alias_address"))] == [State.GOOD]
    (absent,), (other,) = bad(kept_in("nobody-has-it")), bad(kept_in(make_table("id")))
    assert "AliasTable=yes" in absent.mend
    assert other.mend.startswith("aliases.dynamodb_table")


def sealed_in(name: str, user: User) -> Config:
    """A bucket with a message in a mailbox that is sealed with a key of KMS."""
    context = {"aws:ses:message-id": "one"}
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    made = client("kms").generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
    metadata = {
        "x-amz-key-v2": b64encode(made["CiphertextBlob"]).decode(),
        "x-amz-iv": b64encode(bytes(12)).decode(),
        "x-amz-cek-alg": "AES/GCM/NoPadding",
        "x-amz-tag-len": "128",
        "x-amz-wrap-alg": "kms",
        "x-amz-matdesc": json.dumps(context),
    }
    client("s3").put_object(Bucket=name, Key="mailboxes/example.com/tom/one", Body=b"sealed", Metadata=metadata)
    return config(storage=in_bucket(moto.running(), name, **user.keys), sealed={"endpoint": moto.running()})


@pytest.mark.parametrize(("right", "states"), [("kms:Decrypt", [State.GOOD]), ("kms:Encrypt", [State.WRONG])])
def test_a_sealed_message_shows_whether_mail_can_be_opened(right: str, states: list[State]) -> None:
    user = User()
    asked = sealed_in(made(), user)
    actions = [right, "s3:ListBucket", "s3:GetObject"]
    user.allow({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})
    with checked():
        found = list(sealed.sealed(asked, Aws(asked)))
    assert [one.state for one in found] == states
    assert all('"kms:Decrypt"' in one.mend for one in bad(found))


def test_of_mail_that_is_not_sealed_nothing_is_said() -> None:
    name = made()
    client("s3").put_object(Bucket=name, Key="mailboxes/example.com/tom/one", Body=b"mail")
    asked = stored(name)
    assert list(sealed.sealed(asked, Aws(asked))) == []


def anybody() -> Aws:
    return Aws(config(storage=in_bucket(moto.running())))


def test_aws_says_who_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.running())
    user = User()
    place = ApiPlace(region=REGION, keys=Keys(user.keys["access_key_id"], user.keys["secret_access_key"], None))
    (only,) = aws.credentials("storage", place, anybody())
    assert (only.state, ":user/user-" in only.said) == (State.GOOD, True)


def test_a_key_that_nobody_has_is_told_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.running())
    place = ApiPlace(region=REGION, keys=Keys(KEYS["access_key_id"], KEYS["secret_access_key"], None))
    with checked():
        (wrong,) = bad(together([Look("credentials", lambda: aws.credentials("storage", place, anybody()))], 30))
    assert "aws iam list-access-keys" in wrong.mend
    assert KEYS["secret_access_key"] not in wrong.line


def test_no_credentials_at_all_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.running())
    (wrong,) = bad(together([Look("credentials", lambda: aws.credentials("storage", ApiPlace(region=REGION), anybody()))], 30))
    assert "no AWS credentials" in wrong.said


@pytest.mark.parametrize(("off", "word"), [(0, ""), (600, "fast"), (-600, "slow")])
def test_a_clock_that_is_wrong_is_told_with_the_command(off: float, word: str) -> None:
    s3, name = client("s3"), made()
    (only,) = aws.clock(lambda: s3.head_bucket(Bucket=name), lambda: time.time() + off)
    assert (only.state is State.WRONG, only.mend) == (bool(off), "timedatectl set-ntp true" if off else "")
    assert word in only.said


def test_a_refusal_says_what_time_it_is_too() -> None:
    (only,) = aws.clock(lambda: client("s3").head_bucket(Bucket="nobody-has-it"))
    assert only.state is State.GOOD
