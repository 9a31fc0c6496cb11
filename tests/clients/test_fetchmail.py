"""fetchmail fetches everything. What it does to mail that is malformed or has very long lines is named here, and nothing more is allowed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.clients import arrived, programs, stores
from tests.clients.conftest import ALL
from tests.clients.doors import Doors
from tests.clients.stores import Bucket
from tests.corpus.messages import Message

NO_CONNECTION = 2

# It reads lines into a buffer of 8,192 octets, and writes some octets too many at each seam.
LONGER_THAN_ITS_BUFFER = frozenset(
    {"line-of-8190", "line-of-8191", "line-of-8192", "line-of-16382", "line-of-16383", "line-of-16384", "line-of-65536"}
)
LONGER_AND_LARGE = frozenset({"line-of-1000000", "line-of-1048574", "line-of-1048575", "line-of-10-mb"})
# It ends a header that has no blank line after it with one.
WITHOUT_BLANK_LINE = frozenset(
    {
        "first-line-dots",
        "headers-only",
        "headers-only-no-newline",
        "no-headers",
        "one-letter",
        "only-a-dot",
        "only-a-dot-line",
    }
)
# It writes a header of its own where there is none, and takes a line of CRs alone for the blank line.
WITHOUT_HEADER = frozenset({"blank-line-first", "only-cr", "only-crlf", "only-lf"})
_ITS_HEADER = re.compile(rb"\AFrom: FETCHMAIL-DAEMON\r\nTo: [^\r]*\r\nSubject: Headerless mail [^\r]*\r\n")


def as_fetchmail_hands_it_on(mail: Message) -> bytes:
    """The CRLF form, but for what fetchmail does to malformed headers."""
    wire = mail.wire
    if mail.name in WITHOUT_BLANK_LINE:
        return wire + b"\r\n"
    if mail.name == "header-nul":
        return wire.replace(b"\0", b"")
    if mail.name == "header-dot":
        # A dot alone among header lines keeps the one it was stuffed with.
        return wire.replace(b"\r\n.\r\n", b"\r\n..\r\n")
    if mail.name == "mbox-from-first":
        return wire.split(b"\r\n", 1)[1]
    return b"\r\n" if mail.name == "only-cr" else wire


def _check(into: Path, mails: list[Message], left_out: frozenset[str]) -> None:
    files = list(into.iterdir())
    assert len(files) == len(mails)
    assert sum(_without_its_header(file) for file in files) == sum(mail.name in WITHOUT_HEADER for mail in mails)
    assert arrived.in_any_order(into, mails, as_fetchmail_hands_it_on) == left_out
    assert len(arrived.strangers(into, mails, as_fetchmail_hands_it_on)) == len(left_out)


def _without_its_header(file: Path) -> bool:
    octets, found = _ITS_HEADER.subn(b"", file.read_bytes(), count=1)
    if found:
        file.write_bytes(octets)
    return bool(found)


@pytest.mark.limit(240)
def test_fetchmail_fetches_every_message_as_it_was_stored(doors: Doors, everything: list[Message], into: Path) -> None:
    done = programs.fetchmail(doors.pop3s.of(ALL), into)
    assert done.returncode == 0, done.stdout[-2000:]
    _check(into, everything, LONGER_THAN_ITS_BUFFER | LONGER_AND_LARGE)


@pytest.mark.parametrize("door", ["pop3s", "stls"])
def test_fetchmail_deletes_what_it_fetched_and_nothing_else(
    doors: Doors, bucket: Bucket, few: list[Message], into: Path, door: str
) -> None:
    user = f"fetchmail-{door}"
    stores.fill(bucket, user, few)
    stores.fill(bucket, user + "s", few[:3])
    before = stores.keys(bucket, "")
    done = programs.fetchmail(doors[door].of(user), into, delete=True)
    assert done.returncode == 0, done.stdout[-2000:]
    _check(into, few, LONGER_THAN_ITS_BUFFER)
    assert before ^ stores.keys(bucket, "") == {stores.prefix_of(user) + mail.key for mail in few}


@pytest.mark.parametrize("door", ["pop3s", "stls"])
def test_fetchmail_refuses_a_certificate_for_another_name(wrong_name: Doors, into: Path, door: str) -> None:
    done = programs.fetchmail(wrong_name[door].of(ALL), into)
    assert done.returncode == NO_CONNECTION, done.stdout
    assert "Server CommonName mismatch" in done.stdout or "certificate verify failed" in done.stdout
    assert list(into.iterdir()) == []
