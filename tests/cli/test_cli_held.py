"""`sesmail held` over the mail that the sorter of an inbox has held."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sesmail.aws.receipt import Verdict, Verdicts
from sesmail.delivery.verdicts import Action, VerdictRules
from tests.delivery.sorting import ID, Office, directory, notice

TOM, NOBODY = "tom@example.com", "nobody@example.com"
OTHER = "1" + ID[1:]
MAIL = b"From: x@example.org\r\nSubject: \x1b[2Jhello \xff\r\n\r\nthe body\r\n"


class Admin:
    """Runs the command on the store of an office."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.office = Office(directory(folder / "store"))
        self.config: dict[str, Any] = {
            "storage": {"url": f"file://{folder}/store"},
            "mailboxes": {"template": "mail/%d/%u/", "domains": ["example.com"]},
            "auth": {"checkers": ["static"], "users": [{"name": TOM, "password": "right horse"}]},
            "service": {"state_dir": str(folder)},
            "relay": {"courier": "outbox"},
            "tls": {"self_signed": True},
        }

    def hold(self, *recipients: str, id: str = ID, **said: object) -> None:
        self.office.arrive(id, MAIL)
        self.office.sorter().sort(notice(*recipients, id=id, **said))

    def run(self, *arguments: str) -> tuple[int, str, str]:
        file = self.folder / "sesmail.yaml"
        file.write_text(yaml.safe_dump(self.config))
        command = [sys.executable, "-m", "sesmail.cli.main", "held", *arguments, "--config", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def admin(tmp_path: Path) -> Admin:
    return Admin(tmp_path)


def test_nothing_is_held_at_first(admin: Admin) -> None:
    assert admin.run("list") == (0, "no mail is held\n", "")


def test_the_list_says_what_is_held_for_whom_and_why(admin: Admin) -> None:
    admin.hold(NOBODY, "none@example.com", unreadable=("odd\nrecipient",))
    admin.hold("none@example.com", id=OTHER, sender="")
    status, out, error = admin.run("list")
    assert (status, error) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(
        rf"{ID}  \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\dZ  {len(MAIL)} octets  unknown-recipient, unreadable-recipient", lines[0]
    )
    assert lines[1] == "    x@example.org -> nobody@example.com and 2 more"
    assert lines[3:] == ["    <> -> none@example.com", "2 messages are held"]


def test_show_tells_all_but_the_body_and_no_terminal_obeys_it(admin: Admin) -> None:
    admin.hold(NOBODY, unreadable=("odd\nrecipient\x1b[2J",), verdicts=Verdicts(spam=Verdict.FAIL))
    status, out, error = admin.run("show", ID)
    assert (status, error) == (0, "")
    about, _, head = out.partition("\n\n")
    assert about.splitlines()[0] == f"id: {ID}"
    assert about.splitlines()[2:] == [
        f"size: {len(MAIL)} octets",
        "received: 1970-01-12 13:46:40Z",
        "sender: x@example.org",
        "verdicts: spam fail, virus unknown, spf unknown, dkim unknown, dmarc unknown",
        "recipient: nobody@example.com, unknown-recipient",
        'recipient: "odd\\nrecipient\\u001b[2J", which is no address here',
    ]
    assert head == "From: x@example.org\nSubject: \\x1b[2Jhello \\xff\n\n"


def test_a_retry_delivers_to_who_is_known_now(admin: Admin) -> None:
    admin.office.people.clear()
    admin.hold(TOM)
    admin.hold(TOM, NOBODY, id=OTHER)
    assert admin.run("retry", "--all") == (0, f"{ID}: is delivered\n{OTHER}: is still held\n", "")
    assert admin.office.listed("mail/") == [f"mail/example.com/tom/{ID}", f"mail/example.com/tom/{OTHER}"]
    assert admin.office.listed("held/") == [f"held/{OTHER}"]
    assert "nobody@example.com\n" in admin.run("list")[1]


def test_spam_is_let_go_when_that_is_asked_for(admin: Admin) -> None:
    admin.office.rules = VerdictRules(spam=Action.HOLD)
    admin.config["routing"] = {"spam": "hold"}
    admin.hold(TOM, verdicts=Verdicts(spam=Verdict.FAIL))
    assert admin.run("retry", ID) == (0, f"{ID}: is still held\n", "")
    assert admin.run("retry", "--anyway", ID) == (0, f"{ID}: is delivered\n", "")


def test_what_is_dropped_is_gone_and_what_is_not_there_is_told(admin: Admin) -> None:
    admin.hold(NOBODY)
    admin.hold(NOBODY, id=OTHER)
    status, out, error = admin.run("drop", "../x", "none", ID)
    assert (status, out) == (1, f"{ID}: is removed\n")
    assert error.splitlines() == [
        "sesmail held: ../x: the id is not a message id of SES",
        "sesmail held: none: no such message",
    ]
    assert admin.office.listed() == [f".sesmail/held/{OTHER}", f"held/{OTHER}"]


def test_a_record_that_cannot_be_read_is_told_of_and_stays(admin: Admin) -> None:
    admin.hold(NOBODY)
    admin.office.real.put(f".sesmail/held/{ID}", b"{}")
    assert "cannot be read" in admin.run("list")[1]
    assert "cannot be read" in admin.run("show", ID)[1]
    status, out, error = admin.run("retry", ID)
    assert (status, out) == (75, "")
    assert "must be mended or removed" in error
    assert f"held/{ID}" in admin.office.listed()


@pytest.mark.parametrize("arguments", [["drop"], ["show"], ["retry"], []])
def test_nothing_happens_to_what_is_not_named(admin: Admin, arguments: list[str]) -> None:
    admin.hold(NOBODY)
    status, out, error = admin.run(*arguments)
    assert (status, out) == (64, "")
    assert "usage" in error


def test_without_a_store_nothing_can_be_held(admin: Admin) -> None:
    admin.config["storage"] = {"url": "none"}
    status, _, error = admin.run("list")
    assert status == 78
    assert "Traceback" not in error
