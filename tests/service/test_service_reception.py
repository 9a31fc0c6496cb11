"""LMTP from the socket's octets to the store: all of a message or nothing, once, and in bounded memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from sesmail.delivery.reception import Handover
from sesmail.errors import Unavailable
from sesmail.service import reception
from sesmail.service.reception import LMTPReception
from tests.delivery.sorting import ANNE, TOM, Office, directory
from tests.protocols.reception import LHLO, Received
from tests.protocols.submitted import codes

TRANSACTION = b"MAIL FROM:<x@example.org>\r\nRCPT TO:<tom@example.com>\r\nRCPT TO:<anne@example.com>\r\nDATA\r\n"
DATA = b"From: x@example.org\r\n\r\nhello\r\n..\r\n" + b"y" * 120 + b"\r\n"
SESSION = LHLO + TRANSACTION + DATA + b".\r\n"


async def at_once(function: Any, *arguments: Any, **named: Any) -> Any:
    return function(*arguments, **named)


class Hops:
    """Counts the octets that go to workers, and runs at once."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.full = False

    async def __call__(self, function: Any, *arguments: Any, **named: Any) -> Any:
        if self.full:
            raise Unavailable(cause="the pool is full")
        if arguments and isinstance(arguments[-1], bytes):
            self.written.append(len(arguments[-1]))
        return function(*arguments, **named)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(directory(tmp_path / "mail"))


def taking(office: Office, run: Any = at_once) -> Any:
    return LMTPReception(Handover(office.routing().plan, office.local().deliver), run)


def session(office: Office, run: Any = at_once) -> Received:
    return Received(taking(office, run))


def test_a_connection_that_is_cut_at_any_octet_leaves_all_or_nothing_and_a_second_try_makes_it_whole(tmp_path: Path) -> None:
    for octets in range(len(SESSION) + 1):
        office = Office(directory(tmp_path / f"mail{octets}"))
        received = session(office)
        received.say(SESSION[:octets])
        received.lose()
        received.settle()
        assert len(office.listed()) == (2 if octets == len(SESSION) else 0), octets
        assert codes(session(office).say(SESSION))[-2:] == [250, 250]
        keys = office.listed()
        assert len(keys) == 2
        assert all(office.read(key).endswith(b"hello\r\n.\r\n" + b"y" * 120 + b"\r\n") for key in keys)


def test_an_answer_that_is_lost_makes_no_second_copy(office: Office) -> None:
    for _ in range(3):
        received = session(office)
        received.say(SESSION)
        received.lose()
    assert len(office.listed()) == 2


def test_the_same_message_for_two_envelopes_is_in_both_mailboxes(office: Office) -> None:
    received = session(office)
    received.say(LHLO)
    for person in (TOM, ANNE):
        said = b"MAIL FROM:<>\r\nRCPT TO:<%b>\r\nDATA\r\n" % person.encode() + DATA + b".\r\n"
        assert codes(received.say(said)) == [250, 250, 354, 250]
    assert len(office.listed()) == 2


def test_small_messages_go_to_a_worker_once_and_large_ones_in_large_pieces(office: Office) -> None:
    hops = Hops()
    received = session(office, hops)
    received.say(LHLO + TRANSACTION)
    received.say(b"x" * 100_000 + b"\r\n.\r\n")
    assert hops.written == [100_002]
    hops.written.clear()
    received.say(TRANSACTION)
    for _ in range(2_000_000 // 8_192):
        received.say(b"x" * 8_192)
    assert codes(received.say(b"\r\n.\r\n")) == [250, 250]
    first, *others, last = hops.written
    assert first >= reception.MOST_KEPT
    assert min(others) >= reception.PIECE
    assert max(others) < reception.PIECE + 16_384
    assert sum(hops.written) == 2_000_000 // 8_192 * 8_192 + 2
    assert last < reception.PIECE


def test_many_messages_at_once_share_the_memory_there_is(office: Office) -> None:
    local = taking(office)
    sessions = [Received(local) for _ in range(200)]
    for received in sessions:
        received.say(LHLO + TRANSACTION)
    for _ in range(40):
        for received in sessions:
            received.say(b"x" * 8_000)
    kept = sum(len(parcel._waiting) for parcel in local.parcels)
    assert len(local.parcels) == 200
    assert kept <= reception.ALL_KEPT + 200 * 16_384
    for received in sessions:
        received.lose()
        received.settle()
    assert len(local.parcels) == 0
    assert office.listed() == []


def test_workers_that_are_all_busy_are_trouble_at_each_step(office: Office) -> None:
    hops = Hops()
    received = session(office, hops)
    hops.full = True
    assert codes(received.say(LHLO + TRANSACTION)) == [250, 250, 451, 451, 503]
    hops.full = False
    assert codes(received.say(b"RSET\r\n" + TRANSACTION)) == [250, 250, 250, 250, 354]
    hops.full = True
    assert codes(received.say(DATA + b".\r\n")) == [451, 451]
    hops.full = False
    assert codes(received.say(TRANSACTION + DATA + b".\r\n"))[-2:] == [250, 250]


def test_one_of_two_stores_that_fails_is_one_of_two_answers(office: Office) -> None:
    put = office.store.put

    def failing(key: str, *arguments: Any, **named: Any) -> str:
        if "/tom/" in key:
            raise Unavailable
        return put(key, *arguments, **named)

    with patch.object(office.store, "put", failing):
        assert codes(session(office).say(SESSION))[-2:] == [451, 250]
    assert codes(session(office).say(LHLO + b"MAIL FROM:<x@example.org>\r\nRCPT TO:<tom@example.com>\r\nDATA\r\n"))[-1] == 354
    assert codes(session(office).say(SESSION))[-2:] == [250, 250]
    assert len(office.listed()) == 2
