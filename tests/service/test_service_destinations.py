"""A message that SES tells of by a queue goes to places of all kinds at once: real programs, a real Dovecot, and what POP3 shows in the end."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.aws.snssigner import TOPIC
from tests.servers import dovecot, ses
from tests.servers.certificates import Authority
from tests.servers.dovecot import Dovecot
from tests.servers.gateway import started
from tests.service import house as houses
from tests.service.house import ANN, TOM, House
from tests.service.test_service_collecting import Post, opened, wait_until_empty

# No UTF-8, a dot, and a line that mail programs of old would change.
BODY = b"From the beginning:\r\nGr\xfc\xdfe, \x80\r\n.\r\n..\r\n" + b"x" * 990 + b"\r\n"
MAIL = (
    b"Return-Path: <jack@else.example>\r\nFrom: jack@else.example\r\nTo: somebody@lists.example\r\nSubject: all\r\n\r\n" + BODY
)


@dataclass
class Site:
    """A gateway with a queue, and wherever mail may go."""

    house: House
    post: Post
    dovecot: Dovecot
    ses: ses.Server
    folder: Path

    def arrives(self, *recipients: str, id: str, data: bytes = MAIL) -> None:
        """SES takes a message, and tells of it."""
        self.post.server.client().put_object(Bucket=self.post.bucket, Key=f"new/{id}", Body=data)
        self.post.queue.send(json.dumps(self.post.notice(id, *recipients)))
        wait_until_empty(self.house, self.post.queue)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    for part in ("tmp", "new", "cur"):
        (folder / "box" / part).mkdir(parents=True)
    post = Post()
    with dovecot.running("bob:{PLAIN}secret::::::\neve:{PLAIN}secret::::::\n", receiving=True) as store, ses.running() as out:
        out.verify_only("example.com")
        places = [
            "lmtp:bob",
            "lmtp:eve",
            f"maildir:{folder}/box",
            f"pipe:sh -c 'cat >>{folder}/piped'",
            "fay@elsewhere.example",
        ]
        routing = {
            "routes": [{"address": "all@example.com", "to": [TOM, ANN, *places]}],
            "catch_all": [{"domain": "shop.example.com", "to": [ANN]}],
            "domains": ["example.com", "shop.example.com"],
            "forward_from": "forwarder@example.com",
        }
        sections = houses.through(out.endpoint)
        lmtp = {"host": "127.0.0.1", "port": store.lmtp_port}
        with opened(folder, post, routing=routing, lmtp_out=lmtp, aliases={"map": None}, **sections) as house:
            yield Site(house, post, store, out, folder)


def test_one_message_is_at_places_of_all_kinds_once_and_as_it_came(site: Site) -> None:
    site.arrives("All+tag@Example.com", TOM, id="toall")
    assert site.house.mailbox(TOM) == site.house.mailbox(ANN) == [MAIL]
    for user in ("bob", "eve"):
        # Dovecot keeps mail with bare LF.
        (kept,) = site.dovecot.mail(user)
        assert kept.replace(b"\n", b"\r\n").endswith(MAIL.partition(b"\r\n")[2])
    (filed,) = (site.folder / "box" / "new").iterdir()
    assert filed.read_bytes() == MAIL
    assert (site.folder / "piped").read_bytes() == MAIL.replace(b"\r\n", b"\n")
    (sent,) = site.ses.sent
    assert sent.recipients == ("fay@elsewhere.example",)
    assert sent.data.endswith(b"\r\n\r\n" + BODY)
    assert site.post.keys() == site.post.keys("held/") == site.post.keys(".sesmail/") == []


def test_an_address_in_capitals_is_that_of_the_login_in_small_letters(site: Site) -> None:
    site.arrives("TOM@EXAMPLE.COM", id="capitals", data=MAIL.replace(b"all", b"capitals"))
    assert site.house.wait_for_mail(TOM, b"Subject: capitals\r\n")


def test_whatever_is_written_before_the_domain_reaches_its_catch_all(site: Site) -> None:
    site.arrives("anything.at-all+x@shop.example.com", id="caught", data=MAIL.replace(b"all", b"caught"))
    assert site.house.wait_for_mail(ANN, b"Subject: caught\r\n")


def test_who_is_in_the_envelope_has_it_and_who_is_in_the_header_alone_has_not(site: Site) -> None:
    before = len(site.house.mailbox(TOM))
    site.arrives(
        ANN, id="bcc", data=MAIL.replace(b"To: somebody@lists.example", b"To: tom@example.com").replace(b"all", b"bcc")
    )
    assert site.house.wait_for_mail(ANN, b"Subject: bcc\r\n")
    assert len(site.house.mailbox(TOM)) == before


def test_one_whom_nobody_knows_takes_nothing_from_those_whom_somebody_does(site: Site) -> None:
    site.arrives(TOM, "nobody@example.com", id="partly", data=MAIL.replace(b"all", b"partly"))
    assert site.house.wait_for_mail(TOM, b"Subject: partly\r\n")
    assert site.post.keys("held/") == ["held/partly"]
    assert site.post.keys() == []


def test_a_gateway_that_cannot_start_ends_though_it_has_a_queue(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sns = {"listeners": [{"endpoint": f"tcp:{port}:interface=127.0.0.1"}], "topics": [TOPIC]}
        sns |= {"username": "sns", "password": "geheim"}
        with started(houses.config(tmp_path, Authority(tmp_path), **Post().sections(sns=sns))) as gateway:
            assert gateway.wait_until_it_ends() == 1
            assert f"cannot listen on tcp:{port}" in gateway.log()
            assert "Traceback" not in gateway.log()
