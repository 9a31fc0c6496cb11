"""A real Postfix delivers into the bucket by LMTP, set up as docs/lmtp.rst says: every recipient once, and none is lost."""

from __future__ import annotations

import random
import re
import smtplib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.clients.stores import Bucket
from tests.servers import faultproxy, postfix, seaweed
from tests.servers.certificates import Authority
from tests.servers.faultproxy import FaultProxy, Rule
from tests.servers.gateway import running
from tests.servers.ports import answers, free_port, wait_until
from tests.service import house
from tests.service.house import ANN, TOM, House
from tests.service.tls import trusting

ROOT = Path(__file__).parents[2]
SOCKET = "/run/sesmail/lmtp.sock"
SENDER, NOBODY = "jack@example.org", "nobody@example.com"
# For tests: as it is, trouble is looked at again after five minutes.
_SOON = """
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
message_size_limit = 40000000
virtual_alias_maps =
address_verify_map =
address_verify_poll_delay = 1s
"""


def documented(start: str) -> str:
    """The block of the page that begins so, as one would copy it."""
    page = (ROOT / "docs/lmtp.rst").read_text()
    (block,) = re.findall(rf"^    {re.escape(start)}.*\n(?:    .*\n)*", page, re.MULTILINE)
    return re.sub("^    ", "", block, flags=re.MULTILINE) if isinstance(block, str) else ""


@dataclass
class Site:
    """Postfix before a gateway before a bucket."""

    mta: postfix.Postfix
    house: House
    bucket: Bucket
    proxy: FaultProxy

    def send(self, *recipients: str, data: bytes, checked: bool = False) -> dict[str, tuple[int, bytes]]:
        """Hand a message to Postfix. Returns who was refused. `checked`: where it asks about recipients before it takes them."""
        trust = trusting(self.mta.ca_file)
        smtp: smtplib.SMTP
        if checked:
            smtp = smtplib.SMTP("localhost", self.mta.starttls, timeout=60)
            smtp.starttls(context=trust)
        else:
            smtp = smtplib.SMTP_SSL("localhost", self.mta.implicit, context=trust, timeout=60)
        with smtp:
            smtp.login(postfix.USERNAME, postfix.PASSWORD)
            return smtp.sendmail(SENDER, recipients, data)

    def keys(self) -> list[str]:
        """All that was delivered."""
        return [key for _, key in self.bucket.arrivals("")]

    def wait(self, is_done: Callable[[], bool]) -> None:
        """Until that is so, while Postfix tries again what waits."""
        self.mta.wait(is_done, more=lambda: self.house.gateway.log()[-4000:])


@pytest.fixture(scope="module", params=["unix", "tcp"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    server = seaweed.running()
    with ExitStack() as stack:
        folder = Path(mkdtemp(prefix="sesmail-lmtp-"))
        folder.chmod(0o755)
        bucket = Bucket(server)
        proxy = stack.enter_context(faultproxy.before(server.endpoint))
        port = free_port()
        path = folder / "lmtp.sock"
        endpoint = f"unix:{path}:mode=660" if request.param == "unix" else f"tcp:{port}:interface=127.0.0.1"
        lmtp = {"listeners": [{"endpoint": endpoint}], **({"group": "postfix"} if request.param == "unix" else {})}
        authority = Authority(folder)
        storage = {**bucket.storage(), "endpoint": proxy.endpoint}
        config = house.config(folder, authority, lmtp=lmtp, storage=storage, aliases={"map": None})
        gateway = stack.enter_context(running(config))
        wait_until(lambda: path.is_socket() or answers(port), seconds=30, what=gateway.log)
        where = f"lmtp:unix:{path}" if request.param == "unix" else f"lmtp:inet:[127.0.0.1]:{port}"
        lines = documented("virtual_mailbox_domains").replace(f"lmtp:unix:{SOCKET}", where)
        assert where in lines
        mta = stack.enter_context(postfix.running(lines + _SOON))
        yield Site(mta, House(gateway, folder, authority.certificate), bucket, proxy)


def message(subject: str, body: bytes = b"hello\r\n.\r\n..\r\n") -> bytes:
    return b"From: jack@example.org\r\nSubject: " + subject.encode() + b"\r\n\r\n" + body


def test_each_recipient_has_the_message_once_and_nobody_is_returned(site: Site) -> None:
    before = len(site.keys())
    refused = site.send(TOM, NOBODY, ANN, data=message("to three"))
    assert refused == {}
    for person in (TOM, ANN):
        found = site.house.wait_for_mail(person, b"Subject: to three\r\n")
        assert found.startswith(f"Return-Path: <{SENDER}>\r\nX-Original-To: {person}\r\n".encode())
        assert found.endswith(b"\r\n\r\nhello\r\n.\r\n..\r\n")
        # The one that Postfix wrote, and none of ours.
        assert found.count(b"\nReceived: ") == 1
    (returned,) = [kept for kept in site.mta.sink.wait_for(1) if SENDER in kept.recipients]
    assert b"550 5.1.1 no such mailbox" in returned.data
    assert NOBODY.encode() in returned.data
    assert TOM.encode() not in returned.data
    assert len(site.keys()) == before + 2


def test_a_recipient_that_nobody_is_is_refused_before_the_message_where_postfix_asks(site: Site) -> None:
    before = len(site.keys())
    refused = site.send(TOM, NOBODY, data=message("asked"), checked=True)
    assert {person: code for person, (code, _) in refused.items()} == {NOBODY: 550}
    site.house.wait_for_mail(TOM, b"Subject: asked\r\n")
    assert len(site.keys()) == before + 1


def test_what_a_store_refuses_for_a_while_is_delivered_once_it_does_not(site: Site) -> None:
    before = len(site.keys())
    site.proxy.fail(Rule(r"^PUT ", "403"))
    deferred = r"status=deferred \(host \S+ said: 451 4\.3\.0"
    earlier = len(site.mta.said(deferred))
    site.send(TOM, ANN, data=message("deferred"))
    site.wait(lambda: len(site.mta.said(deferred)) >= earlier + 4)
    assert len(site.keys()) == before
    site.proxy.fail()
    site.wait(site.mta.queue_is_empty)
    for person in (TOM, ANN):
        site.house.wait_for_mail(person, b"Subject: deferred\r\n")
    assert len(site.keys()) == before + 2


def test_what_was_stored_and_not_answered_is_there_once(site: Site) -> None:
    before = len(site.keys())
    # More often than a client of S3 tries by itself.
    site.proxy.fail(Rule(r"^PUT ", "reset"))
    deferred = len(site.mta.said("status=deferred"))
    site.send(TOM, ANN, data=message("unheard"))
    site.wait(lambda: len(site.keys()) == before + 2 and len(site.mta.said("status=deferred")) > deferred)
    site.proxy.fail()
    site.wait(site.mta.queue_is_empty)
    assert len(site.keys()) == before + 2


def test_twenty_megabytes_arrive_as_they_are(site: Site) -> None:
    chance = random.Random(20)
    body = b"".join(chance.randbytes(57).hex().encode() + b"\r\n" for _ in range(20_000_000 // 116))
    site.send(TOM, data=message("large", body))
    assert site.house.wait_for_mail(TOM, b"Subject: large\r\n", seconds=90).endswith(b"\r\n\r\n" + body)
