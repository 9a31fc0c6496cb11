"""`sesmail queue`, beside a gateway that has the spool open and without one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sesmail.mail.envelope import Envelope
from tests.relay.post import EVERYWHERE, LATER, NO, OK, Post, each, every, opened, to

BOB, EVE, JOE = "bob@example.net", "eve@example.net", "joe@example.net"


class Admin:
    """Runs the command on one spool, whose gateway is `post`."""

    def __init__(self, folder: Path) -> None:
        self.post = Post(folder / "spool", every(LATER))

    def run(self, *arguments: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "sesmail.cli.main", "queue", *arguments, "--spool", str(self.post.folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[Admin]:
    admin = Admin(tmp_path)
    with opened(admin.post):
        yield admin


def test_an_empty_spool_says_so(admin: Admin) -> None:
    assert admin.run("list") == (0, "no mail is waiting\n", "")


def test_a_list_says_who_waits_for_what_and_disturbs_nobody(admin: Admin) -> None:
    post = admin.post
    first, second = post.accept(to(BOB, EVE, JOE)), post.accept(Envelope("", (JOE,)))
    post.courier.say = each({BOB: OK, EVE: LATER, JOE: LATER})
    post.queue.attempt(first)
    before = post.names(*EVERYWHERE)
    with post.spool.take(second):
        status, out, error = admin.run("list")
    assert (status, error, post.names(*EVERYWHERE)) == (0, "", before)
    lines = out.splitlines()
    assert re.fullmatch(rf"{first}  2027-01-15 08:00:00Z  \d+ octets  tried again in \d+ s", lines[0])
    assert lines[1:3] == ["    ann@example.com -> eve@example.net and 1 more", "    451 4.3.0 not now"]
    assert lines[3].startswith(f"{second}  ")
    assert lines[4:] == ["    <> -> joe@example.net", "2 messages, 0 of them held"]


def test_show_gives_envelope_attempts_answers_and_header_but_not_the_body(admin: Admin) -> None:
    post = admin.post
    post.courier.say = each({BOB: OK, EVE: LATER, JOE: NO})
    id = post.accept(to(BOB, EVE, JOE))
    post.queue.attempt(id)
    status, out, error = admin.run("show", id)
    assert (status, error) == (0, "")
    assert "sender: ann@example.com\n" in out
    assert "account: ann\n" in out
    assert "attempts: 1, the last one began 2027-01-15 08:00:00Z\n" in out
    assert "recipient: bob@example.net, sent: 250 2.0.0 Ok (ses-1)\n" in out
    assert "recipient: eve@example.net, later: 451 4.3.0 not now\n" in out
    assert "recipient: joe@example.net, returned: 550 5.1.1 no such user\n" in out
    assert out.endswith("\n\nMessage-ID: <1@example.com>\nSubject: one\n\n")


def test_show_says_that_an_attempt_may_have_been_broken_off(admin: Admin) -> None:
    id = admin.post.accept()
    assert "it is under way, or was broken off and may have been sent" in admin.run("show", id)[1]


def test_what_a_mail_says_cannot_steer_the_terminal(admin: Admin) -> None:
    id = admin.post.accept(message=b"Subject: \x1b[2J\xff\r\n\r\nbody\r\n")
    out = admin.run("show", id)[1]
    assert "\x1b" not in out
    assert "Subject: \\x1b[2J\\xff\n" in out


@pytest.mark.parametrize("held", [False, True])
def test_retry_is_seen_by_the_gateway(admin: Admin, held: bool) -> None:
    post = admin.post
    id = post.accept()
    post.queue.attempt(id)
    if held:
        admin.run("hold", id)
    assert post.work() == []
    assert admin.run("retry", id) == (0, f"{id}: will be tried now\n", "")
    assert post.work() == [id]
    assert post.names("held", "wishes") == []


def test_retry_is_seen_by_a_gateway_that_starts_later(admin: Admin) -> None:
    post = admin.post
    id = post.accept()
    post.queue.attempt(id)
    post.spool.close()
    assert admin.run("retry", "--all")[0] == 0
    post.spool.open()
    assert post.work() == [id]


def test_what_is_held_is_not_tried_until_it_is_to_be(admin: Admin) -> None:
    post = admin.post
    post.courier.say = each({BOB: OK, EVE: LATER})
    id = post.accept(to(BOB, EVE))
    post.queue.attempt(id)
    assert admin.run("hold", id) == (0, f"{id}: is held\n", "")
    assert admin.run("hold", id) == (0, f"{id}: is held\n", "")
    post.run(post.now + 86_400)
    assert len(post.courier.got) == 1
    assert "held\n" in admin.run("list")[1]
    post.spool.close()
    post.spool.open()
    assert post.names("held", "queue", "state") == [f"held/{id}", f"state/{id}"]
    admin.run("retry", id)
    post.courier.say = every(OK)
    assert post.work() == [id]
    assert post.courier.recipients() == [BOB, EVE, EVE], "who got it before does not get it again"
    assert post.names(*EVERYWHERE) == []


@pytest.mark.parametrize("held", [False, True])
def test_what_is_removed_is_gone_and_the_gateway_bears_it(admin: Admin, held: bool) -> None:
    post = admin.post
    id = post.accept()
    post.queue.attempt(id)
    if held:
        admin.run("hold", id)
    assert admin.run("remove", id) == (0, f"{id}: is removed\n", "")
    assert post.names(*EVERYWHERE) == []
    post.run(post.now + 86_400)
    assert len(post.courier.got) == 1
    assert admin.run("remove", id) == (1, "", f"sesmail queue: {id}: there is no such message, or no more\n")


@pytest.mark.parametrize("action", ["hold", "remove"])
def test_a_message_that_is_being_sent_is_left_alone(admin: Admin, action: str) -> None:
    post = admin.post
    id, other = post.accept(), post.accept()
    with post.spool.take(id):
        status, out, error = admin.run(action, id, other)
    assert (status, out.count(other)) == (75, 1)
    assert error == f"sesmail queue: {id}: it is being sent at this moment, try again\n"
    assert f"queue/{id}" in post.names("queue")


@pytest.mark.parametrize("id", ["../format", "..", "", "nosuch", "a\nb", "état00"])
@pytest.mark.parametrize("action", ["show", "retry", "hold", "remove"])
def test_what_is_no_message_is_refused_in_plain_words(admin: Admin, action: str, id: str) -> None:
    id_of_one = admin.post.accept()
    status, out, error = admin.run(action, id)
    assert (status, out) == (1, "")
    assert re.fullmatch(
        r"sesmail queue: \S*( .*)?: (that is no id of a message; .*|there is no such message, or no more)\n", error
    )
    assert (admin.post.folder / "format").exists()
    assert admin.post.names(*EVERYWHERE) == [f"queue/{id_of_one}"]


def test_a_damaged_message_is_shown_and_not_brought_back(admin: Admin) -> None:
    post = admin.post
    id = post.accept()
    (post.folder / "queue" / id).write_bytes(b"rubbish")
    post.queue.attempt(id)
    assert admin.run("list")[1].startswith(f"{id}  held: it cannot be read: its first line has no end\n")
    status, _, error = admin.run("retry", id)
    assert (status, error) == (1, f"sesmail queue: {id}: the message cannot be read: its first line has no end\n")
    assert admin.run("remove", id)[0] == 0


def test_a_spool_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    status, _, error = Admin(tmp_path).run("list")
    assert status == 75
    assert "there is no spool: start the gateway once, or set relay.spool" in error


def test_without_an_option_the_spool_is_that_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    config = tmp_path / "sesmail.yaml"
    storage = {"url": (tmp_path / "mail").as_uri()}
    options = {"service": {"state_dir": str(tmp_path)}, "storage": storage, "tls": {"self_signed": True}}
    config.write_text(yaml.safe_dump({**options, "mailboxes": {"default_domain": "example.com", "domains": ["example.com"]}}))
    os.chmod(config, 0o600)
    post = Post(tmp_path / "spool")
    with opened(post):
        id = post.accept()
    command = [sys.executable, "-m", "sesmail.cli.main", "queue", "list", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith(id), done.stderr
