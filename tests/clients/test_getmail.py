"""getmail6 fetches everything but lines over 2**20 octets. It speaks POP3S alone: for POP3 it has no STLS.

It hands on what Python's email package makes of a message: so that is what must arrive.
"""

from __future__ import annotations

import io
from email.generator import BytesGenerator
from email.parser import BytesParser
from pathlib import Path

import pytest

from tests.clients import arrived, programs, stores
from tests.clients.conftest import ALL, OVER_A_MEGABYTE_A_LINE
from tests.clients.doors import Doors
from tests.clients.stores import Bucket
from tests.corpus.messages import Message

_LONGEST_LINE = 1 << 20


def as_getmail_hands_it_on(mail: Message) -> bytes:
    """Parsed and written again."""
    written = io.BytesIO()
    BytesGenerator(written).flatten(BytesParser().parsebytes(mail.wire.replace(b"\r\n", b"\n")), linesep="\r\n")
    octets = written.getvalue()
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


def _check(into: Path, mails: list[Message]) -> None:
    fetched = [mail for mail in mails if mail.longest_line <= _LONGEST_LINE]
    assert len(list(into.iterdir())) == len(fetched)
    assert arrived.in_any_order(into, fetched, as_getmail_hands_it_on) == set()


@pytest.mark.limit(240)
def test_getmail_fetches_every_message_as_it_was_stored(doors: Doors, everything: list[Message], into: Path) -> None:
    done = programs.getmail(doors.pop3s.of(ALL), into)
    _check(into, everything)
    assert {mail.name for mail in everything if mail.longest_line > _LONGEST_LINE} == OVER_A_MEGABYTE_A_LINE
    assert done.stdout.count("failed to retrieve") == len(OVER_A_MEGABYTE_A_LINE)


def test_getmail_deletes_what_it_fetched_and_nothing_else(doors: Doors, bucket: Bucket, few: list[Message], into: Path) -> None:
    stores.fill(bucket, "getmail-pop3s", few)
    stores.fill(bucket, "getmail-pop3ss", few[:3])
    before = stores.keys(bucket, "")
    done = programs.getmail(doors.pop3s.of("getmail-pop3s"), into, delete=True)
    assert done.returncode == 0, done.stdout[-2000:]
    _check(into, few)
    assert before ^ stores.keys(bucket, "") == {stores.prefix_of("getmail-pop3s") + mail.key for mail in few}


def test_getmail_refuses_a_certificate_for_another_name(wrong_name: Doors, into: Path) -> None:
    done = programs.getmail(wrong_name.pop3s.of(ALL), into)
    assert done.returncode != 0
    assert "hostname" in done.stdout.lower(), done.stdout
    assert list(into.iterdir()) == []
