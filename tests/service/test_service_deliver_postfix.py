"""A real Postfix with mailtos3's line in master.cf: each message is in its bucket once, encrypted in one of them, POP3 reads it, and nobody's mail is returned."""

from __future__ import annotations

import re
import smtplib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import boto3
import pytest
import yaml

from tests.clients.stores import Bucket
from tests.servers import faultproxy, moto, postfix, seaweed
from tests.servers.certificates import Authority
from tests.servers.faultproxy import FaultProxy, Rule
from tests.servers.gateway import running
from tests.service import house, piped
from tests.service.house import House
from tests.service.tls import trusting

USER, DATED, NOBODY = "user@host.example", "user2@host.example", "nobody@host.example"
SENDER = "jack@example.org"
MAIN = piped.MAIN.format(domain="host.example")


@dataclass
class Site:
    """Postfix, and two buckets behind it that may fail."""

    mta: postfix.Postfix
    buckets: dict[str, Bucket]
    proxy: FaultProxy
    config: dict[str, Any]
    folder: Path

    def send(self, *recipients: str, subject: str, sender: str = SENDER) -> None:
        body = f"From: jack@example.org\r\nSubject: {subject}\r\n\r\n.\r\nhello\r\n".encode()
        trust = trusting(self.mta.ca_file)
        with smtplib.SMTP_SSL("localhost", self.mta.implicit, context=trust, timeout=60) as smtp:
            smtp.login(postfix.USERNAME, postfix.PASSWORD)
            assert smtp.sendmail(sender, recipients, body) == {}

    def keys(self, recipient: str) -> list[str]:
        return [key for _, key in self.buckets[recipient].arrivals("")]

    def read(self, recipient: str) -> list[bytes]:
        """All messages in his bucket."""
        name = self.buckets[recipient].storage()["url"].removeprefix("s3://")
        client = seaweed.running().client()
        return [client.get_object(Bucket=name, Key=key)["Body"].read() for key in self.keys(recipient)]

    def returned(self) -> list[bytes]:
        """Mail that Postfix sent back."""
        return [kept.data for kept in self.mta.sink.kept if SENDER in kept.recipients]


def key_of_kms() -> str:
    client = boto3.client(
        "kms",
        endpoint_url=moto.running(),
        region_name=seaweed.running().region,
        aws_access_key_id="AKIATESTS",
        aws_secret_access_key="tests",
    )
    return str(client.create_key()["KeyMetadata"]["Arn"])


@contextmanager
def sited(first: str = "", *, seals: bool = False) -> Iterator[Site]:
    """`first` is run at the start of the program; `seals`: the first bucket is for encrypted mail."""
    server = seaweed.running()
    with ExitStack() as stack:
        folder = Path(mkdtemp(prefix="sesmail-pipe-"))
        folder.chmod(0o755)
        buckets = {USER: Bucket(server), DATED: Bucket(server)}
        proxy = stack.enter_context(faultproxy.before(server.endpoint))
        master = piped.MASTER.format(program=piped.program(folder, first))
        mta = stack.enter_context(postfix.running(MAIN, master))
        sealing = {"kms_key": key_of_kms(), "wrap": "kms"} if seals else {}
        own, dated = (buckets[one].storage()["url"] for one in (USER, DATED))
        config = {
            "storage": {**buckets[USER].storage(), "endpoint": proxy.endpoint, "attempts": 1},
            "deliver": {
                "mailboxes": [
                    {"address": USER, "url": own, "prefix": "user", **sealing},
                    {"address": DATED, "url": dated, "prefix": "dateTimeFormat(20060102)"},
                ],
                "times": "utc",
            },
            "sealed": {"endpoint": moto.running()} if seals else {},
            "pop3": {"listeners": []},
            "service": {"state_dir": "/tmp"},
        }
        # The program finds it where Postfix starts it.
        (mta.log.parent / "queue" / "sesmail.yaml").write_text(yaml.safe_dump(config))
        yield Site(mta, buckets, proxy, config, folder)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with sited(seals=True) as found:
        yield found


def test_two_people_have_it_in_their_buckets_and_read_it_by_pop3(site: Site) -> None:
    site.send(USER, DATED, subject="to both")
    site.mta.wait(site.mta.queue_is_empty)
    (key,), (dated,) = site.keys(USER), site.keys(DATED)
    assert re.fullmatch(r"user/[0-9a-f]{40}", key)
    assert re.fullmatch(time.strftime("%Y%m%d", time.gmtime()) + r"/[0-9a-f]{40}", dated)
    (stored,) = site.read(USER)
    assert b"Subject" not in stored
    authority = Authority(site.folder)
    people = [{"name": name, "password": house.PASSWORD} for name in (USER, DATED)]
    places = [
        {"for": USER, "prefix": "user/", "sealed": True},
        {"for": DATED, "url": site.buckets[DATED].storage()["url"], "prefix": "", "nested": True},
    ]
    made = house.config(
        site.folder,
        authority,
        storage=site.buckets[USER].storage(),
        sealed=site.config["sealed"],
        auth={"users": people},
        mailboxes={"places": places},
        submission={"listeners": [], "grants": []},
        relay={"courier": "ses", "local_domains": []},
        aliases={"map": None},
    )
    with running(made) as gateway:
        reader = House(gateway, site.folder, authority.certificate)
        for person in (USER, DATED):
            (found,) = reader.mailbox(person)
            # As the flags of the line in master.cf want it, and nothing of ours.
            assert found.startswith(
                f"Return-Path: <{SENDER}>\r\nX-Original-To: {person}\r\nDelivered-To: {person}\r\n".encode()
            )
            assert found.endswith(b"Subject: to both\r\n\r\n.\r\nhello\r\n")


def test_an_unknown_address_is_returned_and_a_null_sender_is_none(site: Site) -> None:
    before = len(site.keys(USER))
    site.send(NOBODY, subject="to nobody")
    site.mta.wait(lambda: bool(site.returned()))
    assert b"no such mailbox" in site.returned()[0]
    assert site.mta.said(r"dsn=5\.1\.1, status=bounced")
    site.send(USER, subject="a report", sender="")
    site.mta.wait(site.mta.queue_is_empty)
    assert len(site.keys(USER)) == before + 1


@pytest.mark.parametrize("fault", ["500", "503", "403", "404-bucket", "refuse", "reset"])
def test_whatever_s3_says_is_tried_again_until_it_is_stored_once(site: Site, fault: str) -> None:
    before, returned = len(site.keys(DATED)), len(site.returned())
    deferred = len(site.mta.said(r"dsn=4\.3\.0, status=deferred"))
    site.proxy.fail(Rule(r"^PUT ", fault))
    site.send(DATED, subject=f"in spite of {fault}")
    site.mta.wait(lambda: len(site.mta.said(r"dsn=4\.3\.0, status=deferred")) >= deferred + 2)
    site.proxy.fail()
    site.mta.wait(site.mta.queue_is_empty)
    assert len(site.keys(DATED)) == before + 1
    assert len(site.returned()) == returned


def killed_at_random(count: int) -> None:
    with sited(piped.DYING.format(chance=0.6, longest=1.5)) as site:
        for number in range(count):
            site.send(USER if number % 2 else DATED, subject=f"number {number}")
        site.mta.wait(site.mta.queue_is_empty, seconds=60 + 15 * count)
        assert len(site.mta.said(r"Command died with signal 9")) >= count / 5
        for recipient in (USER, DATED):
            subjects = [number for mail in site.read(recipient) for number in re.findall(rb"Subject: number (\d+)", mail)]
            mine = [number for number in range(count) if (USER if number % 2 else DATED) == recipient]
            assert sorted(map(int, subjects)) == mine
        assert site.returned() == []


@pytest.mark.limit(300)
def test_what_is_killed_at_random_points_is_stored_once_and_not_returned() -> None:
    killed_at_random(12)


@pytest.mark.proof
@pytest.mark.limit(3600)
def test_two_hundred_deliveries_killed_at_random_points_are_stored_once_and_not_returned() -> None:
    killed_at_random(200)
