"""Mail programs send through the demo: what is for here is in the mailbox, what is for others in the outbox, octet for octet."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sesmail.cli.demo import text
from sesmail.service.demo import DOMAIN, LOCAL
from tests.clients import demohouse, programs
from tests.clients.demohouse import DemoHouse
from tests.clients.senders import SENDERS
from tests.corpus.messages import small_corpus
from tests.servers.ports import wait_until

ME = f"{LOCAL}@{DOMAIN}"
NUMBERS = itertools.count(1)
DOORS = ("starttls", "smtps")

BODIES = {
    "dots": b".\r\n..\r\n.a\r\n\r\n.\r\nno dot\r\n",
    "last-dot": b"the end is\r\n.\r\n",
    "empty": b"",
    "long": b"x" * 100_000 + b"\r\n." + b"y" * 65_536 + b"\r\n",
    "octets": bytes(octet for octet in range(256) if octet not in b"\r\n\0") + b"\r\n",
    "large": b"0123456789abcdef" * 4 * 16_384 + b"\r\n",
    "blank": b"\r\n" * 500,
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHouse]:
    with demohouse.running(tmp_path_factory.mktemp("demo")) as running:
        yield running


def written(folder: Path, body: bytes, head: bytes = b"") -> tuple[Path, bytes]:
    """A file with a message that is like no other."""
    number = next(NUMBERS)
    message = b"Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <%d@laptop>\r\nFrom: Demo <%s>\r\n" % (number, ME.encode())
    message += head + b"\r\n" + body
    file = folder / f"{number}.eml"
    file.write_bytes(message)
    return file, message


def in_mailbox(house: DemoHouse, message: bytes) -> bytes:
    """The message as POP3 hands it over, as soon as it is there; what delivery put in front is cut off."""
    found: list[bytes] = []

    def is_there() -> bool:
        pop = programs.poplib_login(house.pop3s)
        count = pop.stat()[0]
        octets = b"".join(line + b"\r\n" for line in pop.retr(count)[1])
        pop.quit()
        found[:] = [octets[octets.find(b"\r\nDate: Thu, 1 Jan") + 2 :]]
        return found[0] == message

    wait_until(is_there, seconds=20, what=lambda: f"{found[0][:2000]!r}")
    return found[0]


def in_outbox(house: DemoHouse, before: set[Path]) -> tuple[bytes, bytes]:
    """The one new file: what is in front, and the message."""
    (new,) = set(house.outbox()) - before
    front, mark, rest = new.read_bytes().partition(b"Date: Thu, 1 Jan")
    return front, mark + rest


# swaks takes a dot in the last line of a file for the end of the message, and adds a line to a header without a body.
_CHANGED = {("swaks", "last-dot"), ("swaks", "empty")}
_SENT = [(program, body) for program in SENDERS for body in BODIES if (program, body) not in _CHANGED]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("program", "body"), _SENT)
def test_what_is_for_others_is_in_the_outbox_as_it_was_sent(
    house: DemoHouse, tmp_path: Path, program: str, door: str, body: str
) -> None:
    before = set(house.outbox())
    file, message = written(tmp_path, BODIES[body])
    SENDERS[program](getattr(house, door), file, ["eve@example.net", "bob@example.org"])
    front, rest = in_outbox(house, before)
    assert rest == message
    names = re.findall(rb"^([\w-]+): ", front, re.MULTILINE)
    assert names == [b"Return-Path", b"X-Original-To", b"X-Original-To", b"Received"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("program", SENDERS)
def test_what_is_for_here_is_in_the_mailbox_seconds_later(house: DemoHouse, tmp_path: Path, program: str, door: str) -> None:
    before = house.outbox()
    file, message = written(tmp_path, BODIES["dots"])
    SENDERS[program](getattr(house, door), file, [ME])
    assert in_mailbox(house, message) == message
    assert house.outbox() == before


def test_every_kind_of_message_arrives_as_it_was_sent(house: DemoHouse, tmp_path: Path) -> None:
    kinds = [
        mail
        for mail in small_corpus()
        if mail.is_crlf and b"\0" not in mail.stored and b"\r" not in mail.stored.replace(b"\r\n", b"")
    ]
    assert len(kinds) > 20
    for mail in kinds:
        before = set(house.outbox())
        file, message = written(tmp_path, mail.stored)
        SENDERS["curl"](house.smtps, file, ["eve@example.net"])
        assert in_outbox(house, before)[1] == message, mail.name


def test_hidden_recipients_are_hidden(house: DemoHouse, tmp_path: Path) -> None:
    before = set(house.outbox())
    file, message = written(tmp_path, b"body\r\n", b"Bcc: bob@example.org\r\n")
    SENDERS["swaks"](house.starttls, file, ["eve@example.net", "bob@example.org"])
    assert in_outbox(house, before)[1] == message.replace(b"Bcc: bob@example.org\r\n", b"")


def test_the_lines_that_the_demo_prints_do_what_they_say(house: DemoHouse, tmp_path: Path) -> None:
    printed = house.log.read_text()
    assert text(house.demo) in printed
    found = re.search(r"^  (printf (?:.*\\\n)*.*)$", printed, re.MULTILINE)
    assert found is not None
    done = subprocess.run(["/bin/sh", "-ec", found[1]], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    pop = programs.poplib_login(house.pop3s)
    last = pop.retr(pop.stat()[0])[1]
    pop.quit()
    assert b"Subject: Hello" in last
    assert last[-1] == b"It works."


def test_who_is_not_of_this_house_is_refused(house: DemoHouse, tmp_path: Path) -> None:
    file, _ = written(tmp_path, b"body\r\n")
    with pytest.raises(AssertionError, match=r"550 5\.1\.1"):
        SENDERS["swaks"](house.starttls, file, [f"nobody@{DOMAIN}"])
