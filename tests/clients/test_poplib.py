"""Python's poplib fetches everything but lines over 2,048 octets, its documented limit, the CRLF and a stuffed dot counted in."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.clients import arrived, programs, stores
from tests.clients.conftest import ALL
from tests.clients.doors import Doors
from tests.clients.stores import Bucket
from tests.corpus.messages import Message

LINES_TOO_LONG = frozenset(
    {
        "line-in-header-of-5000",
        "line-of-2046-with-dot",
        "line-of-2047",
        "line-of-4096",
        "line-of-8190",
        "line-of-8191",
        "line-of-8192",
        "line-of-16382",
        "line-of-16383",
        "line-of-16384",
        "line-of-65536",
    }
)
LINES_TOO_LONG_AND_LARGE = frozenset({"line-of-1000000", "line-of-1048574", "line-of-1048575", "line-of-10-mb"})


@pytest.mark.limit(240)
def test_poplib_fetches_every_message_as_it_was_stored(doors: Doors, everything: list[Message], into: Path) -> None:
    refused = programs.poplib_fetch(doors.stls.of(ALL), into, len(everything))
    assert {everything[number - 1].name for number in refused} == LINES_TOO_LONG | LINES_TOO_LONG_AND_LARGE
    assert arrived.by_number(into, everything) == LINES_TOO_LONG | LINES_TOO_LONG_AND_LARGE


@pytest.mark.parametrize("door", ["pop3s", "stls"])
def test_poplib_deletes_what_it_says_and_nothing_else(
    doors: Doors, bucket: Bucket, few: list[Message], into: Path, door: str
) -> None:
    user = f"poplib-{door}"
    stores.fill(bucket, user, few)
    stores.fill(bucket, user + "s", few[:3])
    mails = stores.in_order(bucket, user, few)
    before = stores.keys(bucket, "")
    deleted = range(1, len(mails) + 1, 3)
    refused = programs.poplib_fetch(doors[door].of(user), into, len(mails), delete=deleted)
    assert {mails[number - 1].name for number in refused} == LINES_TOO_LONG
    assert arrived.by_number(into, mails) == LINES_TOO_LONG
    assert before ^ stores.keys(bucket, "") == {stores.prefix_of(user) + mails[number - 1].key for number in deleted}


@pytest.mark.parametrize("door", ["pop3s", "stls"])
def test_poplib_refuses_a_certificate_for_another_name(wrong_name: Doors, door: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        programs.poplib_connected(wrong_name[door])
