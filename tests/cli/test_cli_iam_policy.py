"""`sesmail iam-policy`: what it prints for a configuration is enough for what is done with it, and no action is too many.

AWS is moto with its rights checked, and an SES of the tests' own; all that is asked of them is recorded.
"""

from __future__ import annotations

import copy
import json
import os
import poplib
import smtplib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import yaml

from tests.aws.sesevents import bounce, notice, outgoing
from tests.functions.incoming import about
from tests.servers import moto, ses
from tests.servers.gateway import running
from tests.servers.ports import free_port, wait_until
from tests.servers.rights import REGION, Asked, User, checked, client, recorded

TOM = "tom@example.com"
MESSAGE = b"From: ann@else.example\r\nTo: tom@example.com\r\nSubject: hello\r\n\r\nHello.\r\n"
NOBODY_ELSE = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}


def sesmail(*arguments: str, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "sesmail.cli.main", *arguments]
    return subprocess.run(command, input=input, capture_output=True, timeout=100, check=False, env=os.environ)


def printed(file: Path, *purposes: str, more: tuple[str, ...] = ()) -> dict[str, Any]:
    chosen = [part for purpose in purposes for part in ("--for", purpose)]
    done = sesmail("iam-policy", *chosen, *more, "--config", str(file))
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def actions(document: Mapping[str, Any]) -> set[str]:
    lists = (one["Action"] for one in document["Statement"])
    return {action for one in lists for action in ([one] if isinstance(one, str) else one)}


def as_moto_reads_it(document: dict[str, Any]) -> dict[str, Any]:
    """Where several keys are deleted at once, AWS asks for the right on each of them and moto on the bucket; moto has rights of their own
    for requests about several messages, and AWS has not."""
    for statement in document["Statement"]:
        if "s3:DeleteObject" in statement["Action"]:
            places = statement["Resource"]
            some = [places] if isinstance(places, str) else places
            statement["Resource"] = [*some, *{place.partition("/")[0] for place in some}]
        if "sqs:DeleteMessage" in statement["Action"]:
            statement["Action"] = [*statement["Action"], "sqs:DeleteMessageBatch", "sqs:ChangeMessageVisibilityBatch"]
    return document


@dataclass
class House:
    """A bucket, a queue, a user without rights, and the configuration of a gateway that has them."""

    folder: Path
    aws: Asked
    ses: Asked
    bucket: str
    queue: str
    user: User

    def __post_init__(self) -> None:
        self.s3 = client("s3")
        self.pop3 = free_port()
        self.submission = free_port()
        self.file = self.folder / "sesmail.yaml"
        self.write()

    def write(self, **sections: Any) -> dict[str, Any]:
        """Put the configuration down, with these sections changed."""
        config: dict[str, Any] = {
            "storage": {"url": f"s3://{self.bucket}", "endpoint": self.aws.endpoint, "region": REGION, **self.user.keys},
            "mailboxes": {"domains": ["example.com"], "lock": "bucket"},
            "auth": {"checkers": ["static"], "users": [{"name": TOM, "password": "right horse"}]},
            "pop3": {"listeners": [{"endpoint": f"tcp:{self.pop3}:interface=127.0.0.1", "tls": "none"}]},
            "ses": {"endpoint": self.ses.endpoint, "region": REGION, **NOBODY_ELSE, "configuration_set": "outgoing"},
            "tls": {"self_signed": True},
            "service": {"state_dir": str(self.folder / "state")},
        }
        for name, options in sections.items():
            config[name] = {**config.get(name, {}), **options}
        self.file.write_text(yaml.safe_dump(config))
        self.file.chmod(0o600)
        return config

    def put(self, key: str) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=MESSAGE)

    def listed(self) -> list[str]:
        return [one["Key"] for one in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", ())]

    @contextmanager
    def allowed(self, document: dict[str, Any]) -> Iterator[None]:
        """The user may do this and nothing else."""
        self.user.allow(as_moto_reads_it(copy.deepcopy(document)))
        with checked():
            yield


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    bucket, queue = f"mail-{token_hex(4)}", f"queue-{token_hex(4)}"
    client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    client("sqs").create_queue(QueueName=queue)
    with recorded(moto.running()) as aws, ses.running() as server, recorded(server.endpoint) as before:
        yield House(tmp_path, aws, before, bucket, f"{aws.endpoint}/123456789012/{queue}", User())


def read(house: House, config: Mapping[str, Any]) -> bytes:
    """Fetch the only message and delete it; returns what POP3 said to the end."""
    with running(config):
        pop = poplib.POP3("127.0.0.1", house.pop3, timeout=60)
        pop.user(TOM)
        pop.pass_("right horse")
        assert pop.stat()[0] == 1
        assert b"\r\n".join(pop.retr(1)[1]) + b"\r\n" == MESSAGE
        pop.dele(1)
        return pop.quit()


def test_pop3_reads_locks_and_deletes_with_it(house: House) -> None:
    config, document = house.write(), printed(house.file, "pop3")
    house.put("mailboxes/example.com/tom/one")
    with house.allowed(document):
        assert read(house, config).startswith(b"+OK")
    assert "mailboxes/example.com/tom/one" not in house.listed()
    assert house.aws.rights == actions(document)


def test_without_locks_pop3_writes_nothing(house: House) -> None:
    house.write(mailboxes={"lock": "process"})
    assert actions(printed(house.file, "pop3")) == {"s3:ListBucket", "s3:GetObject", "s3:DeleteObject"}


def test_mail_of_one_domain_is_read_with_the_policy_for_it(house: House) -> None:
    config, document = house.write(), printed(house.file, "pop3", more=("--domain", "example.com"))
    house.put("mailboxes/example.com/tom/one")
    with house.allowed(document):
        assert read(house, config).startswith(b"+OK")
    places = json.dumps(document["Statement"])
    assert f'"arn:aws:s3:::{house.bucket}/mailboxes/example.com/*"' in places
    assert document["Statement"][0]["Condition"] == {"StringLike": {"s3:prefix": ["mailboxes/example.com/*"]}}


def test_a_policy_for_another_domain_reads_nothing(house: House) -> None:
    config = house.write()
    house.put("mailboxes/example.com/tom/one")
    with house.allowed(printed(house.file, "pop3", more=("--domain", "example.org"))), pytest.raises(poplib.error_proto):
        read(house, config)
    assert "mailboxes/example.com/tom/one" in house.listed()


def arrive(house: House, *recipients: str) -> None:
    """SES stores a message of a sender who is real, and tells the queue."""
    id, said = token_hex(20), notice(*recipients)
    said["receipt"]["dmarcVerdict"] = {"status": "PASS"}
    house.put(f"new/{id}")
    tell(house, about(said, id, house.bucket))


def tell(house: House, said: Mapping[str, Any]) -> None:
    url = f"{moto.running()}/123456789012/{house.queue.rpartition('/')[2]}"
    client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(said))


def test_mail_is_sorted_bounced_forwarded_and_suppressed_with_it(house: House) -> None:
    house.write(
        queue={"url": house.queue, "endpoint": house.aws.endpoint, "region": REGION},
        routing={
            "unknown": "bounce",
            "bounce_from": "postmaster@example.com",
            "forward_from": "forwarder@example.com",
            "routes": [{"address": "away@example.com", "to": ["forward:tom@elsewhere.example"]}],
        },
        feedback={"suppress": True},
        submission={"listeners": [], "hostname": "mx.example.com"},
    )
    document = printed(house.file, "sort")
    arrive(house, TOM)
    arrive(house, "nobody@example.com")
    arrive(house, "away@example.com")
    tell(house, outgoing("Bounce", "bounce", bounce()))
    # Goes back into the queue.
    tell(house, {"this": "is no notice"})
    with house.allowed(document):
        done = sesmail("sort", "--once", "--config", str(house.file))
    assert (done.returncode, b"queue: 4 done, 1 left" in done.stdout) == (75, True), done.stdout + done.stderr
    assert not [key for key in house.listed() if key.startswith("new/")]
    assert house.aws.rights | house.ses.rights == actions(document)


def test_the_policy_for_a_queue_and_senders_names_them_alone(house: House) -> None:
    house.write(
        queue={"url": "https://sqs.us-gov-west-1.amazonaws.com/210987654321/mail"},
        ses={"region": "us-gov-west-1"},
        routing={"bounce_from": "postmaster@example.org"},
    )
    found = printed(house.file, "sort", "submit")["Statement"]
    by_action = {json.dumps(one["Action"]): one["Resource"] for one in found}
    (queue,) = (places for action, places in by_action.items() if "sqs:" in action)
    assert queue == "arn:aws-us-gov:sqs:us-gov-west-1:210987654321:mail"
    assert by_action['"ses:SendBounce"'] == "arn:aws-us-gov:ses:us-gov-west-1:210987654321:identity/example.org"
    assert by_action['["ses:SendEmail", "ses:SendRawEmail"]'] == [
        "arn:aws-us-gov:ses:us-gov-west-1:210987654321:identity/example.com",
        "arn:aws-us-gov:ses:us-gov-west-1:210987654321:configuration-set/outgoing",
    ]


def test_people_send_with_it(house: House) -> None:
    config = house.write(
        submission={
            "listeners": [{"endpoint": f"tcp:{house.submission}:interface=127.0.0.1", "tls": "starttls"}],
            "hostname": "mx.example.com",
            "check_domains": False,
        },
    )
    with running(config):
        smtp = smtplib.SMTP("127.0.0.1", house.submission, local_hostname="laptop", timeout=60)
        smtp.starttls()
        smtp.login(TOM, "right horse")
        smtp.sendmail(TOM, ["ann@else.example"], MESSAGE.replace(b"ann@else.example", TOM.encode()))
        smtp.quit()
        wait_until(lambda: "ses:SendEmail" in house.ses.rights, seconds=30, what=lambda: "nothing was sent")
    assert house.ses.rights == actions(printed(house.file, "submit"))


def deliver(house: House, to: str = TOM) -> None:
    done = sesmail("deliver", "-a", to, "-f", "ann@else.example", "--config", str(house.file), input=MESSAGE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_mail_server_delivers_with_it(house: House) -> None:
    client("s3").put_object(Bucket=house.bucket, Key="mailboxes/example.com/passwd.txt", Body=b"tom@example.com:right\n")
    house.write(
        auth={"checkers": ["passwd"], "users": []},
        routing={"routes": [{"address": "shelf@example.com", "to": ["hold:"]}]},
        deliver={"mailboxes": [{"address": "box@example.com", "prefix": "box"}]},
    )
    document = printed(house.file, "deliver")
    with house.allowed(document):
        for address in (TOM, "box@example.com", "shelf@example.com"):
            deliver(house, address)
    assert {key.rpartition("/")[0] for key in house.listed()} == {
        ".sesmail/held",
        "box",
        "held",
        "mailboxes/example.com",
        "mailboxes/example.com/tom",
    }
    # Without ListBucket S3 would not say of a passwd.txt that there is none.
    assert house.aws.rights | {"s3:ListBucket"} == actions(document)


def test_deliveries_into_boxes_alone_only_write_there(tmp_path: Path) -> None:
    boxes = [
        {"address": "a@example.com", "url": "s3://first-bucket", "prefix": "mail/../a//b"},
        {"address": "b@example.com", "url": "s3://second-bucket", "prefix": "dateTimeFormat(2006/01/02)"},
    ]
    file = tmp_path / "sesmail.yaml"
    config = {"storage": {"url": tmp_path.as_uri()}, "deliver": {"mailboxes": boxes}, "pop3": {"listeners": []}}
    file.write_text(yaml.safe_dump(config))
    (statement,) = printed(file, "deliver")["Statement"]
    assert statement["Action"] == "s3:PutObject"
    assert statement["Resource"] == ["arn:aws:s3:::first-bucket/a/b/*", "arn:aws:s3:::second-bucket/*"]


def test_who_looks_up_aliases_may_and_who_keeps_them_may_change_them(house: House) -> None:
    house.file.write_text(house.file.read_text() + "aliases: {table: dynamodb, dynamodb_table: theirs, region: eu-north-1}\n")
    table = "arn:aws:dynamodb:eu-north-1:123456789012:table/theirs"
    for purpose in ("sort", "submit", "deliver"):
        statements = printed(house.file, purpose, more=("--account", "123456789012", "--domain", "example.com"))["Statement"]
        found = [one for one in statements if "dynamodb:GetItem" in one["Action"]]
        assert found == [{"Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:UpdateItem"], "Resource": table}]
    (statement,) = printed(house.file, "aliases", more=("--account", "123456789012"))["Statement"]
    assert statement["Resource"] == [table, f"{table}/index/*"]


def test_a_table_is_named_with_its_indexes(house: House) -> None:
    (statement,) = printed(house.file, "aliases", more=("--table", "mail", "--account", "123456789012"))["Statement"]
    table = f"arn:aws:dynamodb:{REGION}:123456789012:table/mail"
    assert statement["Resource"] == [table, f"{table}/index/*"]


def test_keys_open_what_is_read_and_seal_what_is_delivered(house: House) -> None:
    key = f"arn:aws:kms:{REGION}:123456789012:key/one"
    for purpose, action in (("pop3", "kms:Decrypt"), ("sort", "kms:Decrypt"), ("deliver", "kms:GenerateDataKey")):
        statement = printed(house.file, purpose, more=("--key", key))["Statement"][-1]
        assert (statement["Action"], statement["Resource"]) == (action, key)


def test_keys_of_mailboxes_are_named_in_the_configuration(house: House) -> None:
    key = f"arn:aws:kms:{REGION}:123456789012:key/one"
    house.write(
        deliver={"mailboxes": [{"address": TOM, "kms_key": key}, {"address": "ann@example.com", "kms_key": "alias/mail"}]}
    )
    for purpose, action in (("pop3", "kms:Decrypt"), ("deliver", "kms:GenerateDataKey")):
        done = sesmail("iam-policy", "--for", purpose, "--config", str(house.file))
        statement = json.loads(done.stdout)["Statement"][-1]
        assert (statement["Action"], statement["Resource"]) == (action, key)
        assert b"name the key alias/mail by its ARN" in done.stderr


def test_a_key_with_which_s3_encrypts_is_for_whoever_reads_and_writes(house: House) -> None:
    key = f"arn:aws:kms:{REGION}:123456789012:key/one"
    house.write(storage={"encryption": "sse-kms", "encryption_key": key}, mailboxes={"lock": "process"})
    both = {"kms:Decrypt", "kms:GenerateDataKey"}
    for purpose, wanted in (("pop3", {"kms:Decrypt"}), ("sort", both), ("deliver", both)):
        found = [one for one in printed(house.file, purpose)["Statement"] if one["Resource"] == key]
        assert {one["Action"] for one in found} == wanted
    house.write(storage={"encryption": "sse-kms", "encryption_key": key}, mailboxes={"lock": "bucket"})
    assert both <= actions(printed(house.file, "pop3"))


def test_mail_is_sealed_and_opened_with_them(house: House) -> None:
    # moto denies the exact ARN of a key wrongly, so that rights are compared here and not checked.
    made = client("kms").create_key()
    config = house.write(
        sealed={"endpoint": house.aws.endpoint},
        deliver={"mailboxes": [{"address": TOM, "prefix": "box", "kms_key": made["KeyMetadata"]["Arn"]}]},
        auth={"users": [{"name": TOM, "password": "right horse", "prefix": "box/"}]},
    )
    deliver(house)
    assert "kms:GenerateDataKey" in house.aws.rights
    assert house.aws.rights <= actions(printed(house.file, "deliver"))
    house.aws.rights.clear()
    assert read(house, config).startswith(b"+OK")
    assert house.aws.rights == actions(printed(house.file, "pop3"))


def test_places_with_keys_of_their_own_are_left_out(house: House) -> None:
    others = [
        {"for": "other.example", "url": "s3://their-mail", **NOBODY_ELSE},
        {"for": "more.example", "url": "s3://more-mail"},
    ]
    house.write(mailboxes={"places": others, "domains": ["example.com", "other.example", "more.example"]})
    text = json.dumps(printed(house.file, "pop3", "sort"))
    assert "more-mail/mailboxes/*" in text
    assert "their-mail" not in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--for", "aliases"], "--table"),
        (["--for", "pop3", "--domain", "localhost"], "--domain"),
        (["--for", "pop3"], "does not lie in a bucket"),
        (["--for", "submit"], "--domain"),
    ],
)
def test_what_is_missing_is_said_in_plain_words(arguments: list[str], words: str, tmp_path: Path) -> None:
    file = tmp_path / "sesmail.yaml"
    file.write_text(f"storage: {{url: 'file://{tmp_path}'}}\nmailboxes: {{domains: any}}\ntls: {{self_signed: true}}\n")
    done = sesmail("iam-policy", *arguments, "--config", str(file))
    assert (done.returncode, done.stdout) == (1, b"")
    assert words.encode() in done.stderr
    assert b"Traceback" not in done.stderr
