"""`sesmail doctor` as a whole: moto with its rights checked, SeaweedFS, an SES and a DNS server of the tests' own, sound and broken."""

from __future__ import annotations

import copy
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import yaml

from tests.cli.test_cli_iam_policy import as_moto_reads_it
from tests.packaging.tree import ROOT
from tests.servers import dns, moto, seaweed, ses, sqs
from tests.servers.certificates import Authority
from tests.servers.ports import free_port
from tests.servers.rights import REGION, User, checked, client

DOMAIN = "example.com"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:mail"
TOKENS = [letter * 32 for letter in "abc"]
SECRET = "right horse battery"


def doctor(file: Path, *arguments: str, **variables: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, findings, and all that was printed."""
    command = [sys.executable, "-m", "sesmail.cli.main", "doctor", "--json", "--config", str(file), *arguments]
    environ = {**os.environ, "AWS_ENDPOINT_URL_STS": moto.running(), **variables}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environ)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else [], done.stdout + done.stderr


def wrong(found: list[dict[str, Any]]) -> dict[str, str]:
    """What is wrong, with what mends it."""
    assert all(one["mend"] for one in found if one["state"] == "wrong")
    return {one["about"]: one["mend"] for one in found if one["state"] == "wrong"}


@dataclass
class House:
    """All that a gateway needs, as it has to be."""

    folder: Path
    server: ses.Server
    bucket: str = field(default_factory=lambda: f"doctor-{token_hex(4)}")
    user: User = field(default_factory=User)
    names: int = 0

    def __post_init__(self) -> None:
        client("s3").create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        client("s3").put_object(Bucket=self.bucket, Key="new/AMAZON_SES_SETUP_NOTIFICATION", Body=b"hello")
        self.dead = sqs.make_queue()
        self.queue = sqs.make_queue(dead=self.dead)
        policy = {
            "Statement": [{"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "*", "Resource": "*"}]
        }
        sqs.client().set_queue_attributes(QueueUrl=self.queue.url, Attributes={"Policy": json.dumps(policy)})
        action = {"BucketName": self.bucket, "ObjectKeyPrefix": "new/", "TopicArn": TOPIC}
        rule = {"Name": "store", "Enabled": True, "Recipients": [DOMAIN], "Actions": [{"S3Action": action}]}
        self.server.know("DescribeActiveReceiptRuleSet", Metadata={"Name": "mail"}, Rules=[rule])
        signed = {"Status": "SUCCESS", "Tokens": TOKENS}
        self.server.know("GetEmailIdentity", DOMAIN, VerifiedForSendingStatus=True, DkimAttributes=signed)
        self.server.know("GetConfigurationSet", "outgoing", SendingOptions={"SendingEnabled": True})
        authority = Authority(self.folder)
        self.trusted = str(authority.certificate)
        self.certificate = authority.issue("mx.example.com")
        self.file = self.folder / "sesmail.yaml"
        self.write()

    def write(self, **sections: Any) -> None:
        """Put the configuration down, with these sections changed."""
        aws = {"endpoint": moto.running(), "region": REGION}
        config: dict[str, Any] = {
            "storage": {"url": f"s3://{self.bucket}", **aws, **self.user.keys},
            "mailboxes": {"domains": [DOMAIN], "lock": "bucket"},
            "auth": {"checkers": ["static"], "users": [{"name": f"tom@{DOMAIN}", "password": SECRET}]},
            "pop3": {"listeners": [{"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", "tls": "implicit"}]},
            "submission": {
                "listeners": [{"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", "tls": "implicit"}],
                "hostname": "mx.example.com",
            },
            "ses": {"endpoint": self.server.endpoint, "region": REGION, "configuration_set": "outgoing"},
            "queue": {"url": self.queue.url, "dead_letter_url": self.dead.url, **aws},
            "tls": {"certificates": [{"certificate": str(self.certificate.certificate), "key": str(self.certificate.key)}]},
            "service": {"state_dir": str(self.folder / "state")},
        }
        for name, options in sections.items():
            config[name] = {**config.get(name, {}), **options}
        self.file.write_text(yaml.safe_dump(config))
        self.file.chmod(0o600)

    def zone(self) -> str:
        given = ["--region", REGION, "--host", "mx.example.com", *(part for one in TOKENS for part in ("--dkim", one))]
        command = [sys.executable, "-m", "sesmail.cli.main", "dns", "--domain", DOMAIN, "--config", str(self.file), *given]
        return subprocess.run(command, capture_output=True, text=True, timeout=100, check=True).stdout

    def looked_at(self, zone: str | None = None) -> tuple[int, list[dict[str, Any]], str]:
        self.names += 1
        folder = self.folder / f"dns-{self.names}"
        folder.mkdir()
        with dns.running(zone or self.zone(), folder) as port:
            return doctor(self.file, "--server", f"127.0.0.1:{port}", SSL_CERT_FILE=self.trusted)

    def policy(self, *purposes: str) -> dict[str, Any]:
        chosen = [part for purpose in purposes for part in ("--for", purpose)]
        command = [sys.executable, "-m", "sesmail.cli.main", "iam-policy", *chosen, "--config", str(self.file)]
        printed: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, timeout=100, check=True).stdout)
        return printed

    def with_rights(self, document: Mapping[str, Any]) -> tuple[int, list[dict[str, Any]], str]:
        """Looked at by somebody who may do this and nothing else."""
        read = as_moto_reads_it(copy.deepcopy(dict(document)))
        for statement in read["Statement"]:
            if "s3:ListBucket" in statement["Action"]:
                # AWS knows no right of this name, and asks for that to list.
                statement["Action"] = ["s3:ListBucket", "s3:HeadBucket"]
        self.user.allow(read)
        with checked():
            return self.looked_at()

    @property
    def state(self) -> object:
        """All that could have been changed."""
        keys = [one["Key"] for one in client("s3").list_objects_v2(Bucket=self.bucket).get("Contents", ())]
        return keys, self.queue.counts(), self.dead.counts(), self.server.sent, sorted(os.listdir(self.folder / "state"))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    (tmp_path / "state").mkdir(mode=0o700)
    with ses.running() as server:
        yield House(tmp_path, server)


def test_with_the_printed_policies_all_is_right_and_nothing_is_changed(house: House) -> None:
    house.queue.send("a notice")
    before = house.state
    status, found, printed = house.with_rights(house.policy("pop3", "sort", "submit", "doctor"))
    assert (status, wrong(found)) == (0, {}), printed
    assert {one["state"] for one in found} <= {"ok", "note"}
    about = " ".join(one["about"] for one in found)
    for word in (
        "configuration",
        "certificate",
        "port",
        "clock",
        "credentials",
        "s3:PutObject",
        "sqs:ReceiveMessage",
        "SES sandbox",
    ):
        assert word in about
    for word in ("receipt rule", "dead letters", f"DNS {DOMAIN} MX", "bucket", "mail in s3://", "configuration set", "quota"):
        assert word in about
    assert house.state == before
    for secret in (SECRET, house.user.keys["secret_access_key"]):
        assert secret not in printed


def test_each_right_that_is_missing_is_told_with_the_statement_that_gives_it(house: House) -> None:
    document = house.policy("pop3", "sort", "submit", "doctor")
    for statement in document["Statement"]:
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        statement["Action"] = [one for one in actions if one not in ("s3:DeleteObject", "sqs:DeleteMessage")] or ["iam:GetUser"]
    status, found, printed = house.with_rights(document)
    assert status == 1, printed
    missing = {json.loads(mend)["Action"]: json.loads(mend) for mend in wrong(found).values()}
    assert set(missing) == {"s3:DeleteObject", "sqs:DeleteMessage"}, printed
    assert missing["sqs:DeleteMessage"]["Resource"] in (house.queue.arn, house.dead.arn)
    assert missing["s3:DeleteObject"]["Resource"].startswith(f"arn:aws:s3:::{house.bucket}/")


def test_what_is_broken_is_told_in_one_go(house: House) -> None:
    house.dead.send("what failed")
    house.server.set_account(ProductionAccessEnabled=False, SendingEnabled=False)
    zone = house.zone()
    mx = next(line for line in zone.splitlines() if line.startswith(f"{DOMAIN}.") and " MX " in line)
    kept = [line for line in zone.splitlines() if line != mx and not line.startswith(("_imap", "autoconfig."))]
    status, found, printed = house.looked_at("\n".join(kept))
    assert status == 1
    assert set(wrong(found)) == {f"dead letters {house.dead.url}", "SES sandbox", "SES sending", f"DNS {DOMAIN} MX"}, printed
    assert wrong(found)[f"DNS {DOMAIN} MX"] == " ".join(mx.split())
    notes = {one["about"] for one in found if one["state"] == "note"}
    assert {f"DNS autoconfig.{DOMAIN} CNAME", f"DNS _imaps._tcp.{DOMAIN} SRV"} <= notes


def test_credentials_that_nobody_knows_are_one_fault_and_not_one_for_each_right(house: House) -> None:
    with checked():
        house.write(storage={"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET})
        status, found, printed = doctor(house.file, "--domain", "example.org", SSL_CERT_FILE=house.trusted)
    assert status == 1
    assert any(about.startswith("credentials of storage") for about in wrong(found)), printed
    # Of queues moto says so in XML, where JSON was asked for.
    assert not [about for about in wrong(found) if about.startswith("right") and "sqs:" not in about], printed
    assert {one["state"] for one in found if one["about"].startswith("right s3:")} == {"unknown"}
    assert SECRET not in printed


def test_a_bad_configuration_is_told_line_by_line_with_its_own_status(house: House) -> None:
    house.file.write_text(house.file.read_text() + "storrage: {}\n")
    status, found, _ = doctor(house.file)
    assert (status, len(wrong(found))) == (78, 1)
    assert "storrage" in found[0]["said"]


def test_credentials_that_systemd_hands_over_are_told_with_the_command_that_has_them(house: House) -> None:
    house.write(storage={"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "credential:sesmail_s3"})
    status, found, _ = doctor(house.file, CREDENTIALS_DIRECTORY="")
    assert (status, len(found)) == (78, 1)
    mend = found[0]["mend"]
    assert mend.startswith("systemd-run ")
    unit = (ROOT / "debian/sesmail.service").read_text()
    (handed,) = re.findall(r"^LoadCredential=.*$", unit, re.MULTILINE)
    assert f"--property={handed} " in mend
    # The manuals say the same.
    for manual in ("service.rst", "sesmail.8.rst"):
        assert mend in (ROOT / "docs" / manual).read_text()


def test_for_people_there_is_a_line_for_each_thing_and_a_sum(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sesmail.cli.main", "doctor"]
    environ = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=100, check=False)
    *lines, last = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert {line.split()[0] for line in lines} == {"ok", "note"}
    assert f"{sum(line.startswith('ok ') for line in lines)} ok" in last
    assert not list(tmp_path.iterdir())


def test_servers_that_never_answer_are_given_up_within_thirty_seconds(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        nowhere = f"http://127.0.0.1:{silent.getsockname()[1]}"
        house.write(storage={"endpoint": nowhere}, ses={"endpoint": nowhere}, queue={"endpoint": nowhere})
        began = time.monotonic()
        status, found, printed = doctor(house.file, "--server", f"127.0.0.1:{free_port()}", AWS_ENDPOINT_URL_STS=nowhere)
        assert time.monotonic() - began < 30
    assert status in (1, 75)
    assert {one["state"] for one in found if one["about"].startswith(("bucket", "SES account", "queue"))} == {"unknown"}, (
        printed
    )


def test_a_store_that_is_not_aws_is_looked_at_too(house: House) -> None:
    server = seaweed.running()
    keys = {"access_key_id": server.access_key, "secret_access_key": server.secret_key}
    name = server.make_bucket(f"doctor-{token_hex(4)}")
    house.write(storage={"url": f"s3://{name}", "endpoint": server.endpoint, "region": server.region, **keys})
    status, found, printed = doctor(house.file, "--domain", "example.org", SSL_CERT_FILE=house.trusted)
    rights = {one["about"]: one["state"] for one in found if one["about"].startswith("right s3:")}
    assert rights, printed
    assert set(rights.values()) == {"ok"}, printed
    assert server.client().list_objects_v2(Bucket=name).get("KeyCount") == 0
    assert status in (1, 75)
