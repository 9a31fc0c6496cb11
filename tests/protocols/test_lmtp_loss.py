"""What becomes of a message that comes by LMTP when the connection, or the store behind it, is lost on the way."""

from __future__ import annotations

import logging
from unittest.mock import patch

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from sesmail.errors import Unavailable
from sesmail.protocols.smtp.data import Transfer
from tests.protocols.reception import LHLO, TRANSACTION, Received, policy
from tests.protocols.submitted import codes

SESSION = LHLO + TRANSACTION + b"Subject: a\r\n\r\nbody\r\n.\r\nQUIT\r\n"


def test_a_connection_that_is_cut_anywhere_hands_over_all_or_nothing() -> None:
    whole = SESSION.index(b"QUIT")
    for octets in range(len(SESSION) + 1):
        received = Received()
        received.say(SESSION[:octets])
        received.lose()
        received.settle()
        assert len(received.reception.taken) == (octets >= whole), octets
        assert all(parcel.finished or parcel.discarded for parcel in received.reception.parcels)
        assert received.factory.sessions == set()
        assert received.clock.getDelayedCalls() == []


@pytest.mark.parametrize("step", ["sender", "recipient", "begin", "write", "finish"])
@pytest.mark.parametrize("fails", [False, True])
def test_a_connection_that_is_cut_while_the_store_is_asked(step: str, fails: bool, caplog: pytest.LogCaptureFixture) -> None:
    received = Received()
    waiting: Deferred[None] = Deferred()
    received.reception.held[step] = waiting
    received.say(SESSION)
    received.lose()
    if fails:
        waiting.errback(Failure(Unavailable()))
    else:
        waiting.callback(None)
    received.settle()
    # Once the end of the message was here, it goes its way; what is delivered must not be taken back.
    assert len(received.reception.taken) == (step == "finish" and not fails)
    assert all(parcel.finished or parcel.discarded for parcel in received.reception.parcels)
    assert received.factory.sessions == set()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_an_error_of_ours_within_a_message_leaves_none_of_it_to_be_obeyed(caplog: pytest.LogCaptureFixture) -> None:
    received = Received()
    with patch.object(Transfer, "_take", side_effect=ValueError("bug")):
        received.begin_data()
        assert received.say(b"body\r\nQUIT\r\n.\r\nNOOP\r\n") == b""
    assert received.transport.aborted
    assert received.reception.parcels[0].discarded
    assert any(record.exc_info for record in caplog.records)


def test_a_message_is_held_back_while_the_store_is_slow() -> None:
    received = Received()
    received.begin_data()
    received.reception.held["write"] = Deferred()
    for _ in range(10):
        if received.transport.producerState == "paused":
            break
        received.say(b"x" * 8_000)
    assert received.transport.producerState == "paused"
    assert received.session.unread <= policy().pipeline + 8_000
    received.reception.held.pop("write").callback(None)
    received.settle()
    assert received.transport.producerState == "producing"


def test_a_stop_lets_the_message_that_comes_in_come_to_its_end() -> None:
    received = Received()
    received.begin_data()
    received.session.drain()
    assert received.say(b"body\r\n") == b""
    assert received.say(b".\r\n") == (
        b"250 2.1.5 stored\r\n250 2.1.5 stored\r\n421 4.3.2 service is stopping, try again later\r\n"
    )
    assert received.transport.closed
    assert len(received.reception.taken) == 1


def test_a_server_that_says_nothing_is_hung_up_on_and_one_that_idles_within_its_time_is_not() -> None:
    received = Received(allowed=policy(command_timeout=60))
    assert codes(received.say(LHLO)) == [250]
    # No login is waited for: long after the time for one has passed, all is well.
    for _ in range(5):
        assert received.wait(59) == b""
        assert codes(received.say(b"NOOP\r\n")) == [250]
    assert received.wait(61) == b"421 4.4.2 timeout, closing\r\n"
    assert received.transport.closed


def test_a_server_that_sends_no_more_of_its_message_is_hung_up_on() -> None:
    received = Received(allowed=policy(data_timeout=60))
    received.begin_data()
    assert received.say(b"body\r\n") == b""
    assert received.wait(61) == b"421 4.4.2 timeout, closing\r\n"
    assert [parcel.discarded for parcel in received.reception.parcels] == [True]


def test_what_is_refused_for_each_recipient_counts_once() -> None:
    received = Received(allowed=policy(pointless=3))
    received.reception.failures["finish"] = Unavailable()
    assert codes(received.say(LHLO)) == [250]
    for _ in range(2):
        assert codes(received.say(TRANSACTION + b".\r\n")) == [250, 250, 250, 354, 451, 451]
    assert codes(received.say(TRANSACTION + b".\r\n")) == [250, 250, 250, 354, 421]


def test_a_message_that_one_recipient_has_clears_what_led_to_nothing() -> None:
    received = Received(allowed=policy(pointless=3))
    for _ in range(10):
        assert codes(received.say(LHLO + TRANSACTION + b".\r\n"))[-2:] == [250, 250]
    assert not received.transport.closed


def test_recipients_are_asked_about_once_and_keep_their_places() -> None:
    received = Received()
    first: Deferred[None] = Deferred()
    received.reception.held["a@example.com"] = first
    received.reception.failures["b@example.com"] = Unavailable()
    said = b"".join(b"RCPT TO:<%b@example.com>\r\n" % name for name in (b"a", b"b", b"a", b"c"))
    assert codes(received.say(LHLO + b"MAIL FROM:<joe@example.com>\r\n" + said + b"DATA\r\n.\r\n")) == [250, 250]
    first.callback(None)
    answers = codes(received.settle())
    assert answers == [250, 250, 250, 451, 250, 250, 354, 250, 250, 250]
    (parcel,) = received.reception.taken
    assert parcel.recipients == ("a@example.com", "c@example.com")
    assert [entry[1] for entry in received.reception.log if entry[0] == "recipient"] == [
        "a@example.com",
        "b@example.com",
        "c@example.com",
    ]


@pytest.mark.parametrize("peer", ["unix", "127.0.0.1", "::1", "192.0.2.8"])
def test_the_way_a_message_came_is_told(peer: str) -> None:
    received = Received(peer=peer, trusted=["192.0.2.0/24"])
    received.begin_data()
    received.say(b".\r\n")
    (parcel,) = received.reception.taken
    assert (parcel.hop.peer, parcel.hop.helo, parcel.hop.protocol) == (peer, "mta.example.com", "LMTP")
