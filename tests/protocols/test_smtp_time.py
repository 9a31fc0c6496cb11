"""How long a submission session waits, and for what."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from tests.protocols.submitted import LOGIN, TRANSACTION, WRONG, Submitted, codes, logged_in, policy

TIMEOUT = b"421 4.4.2 timeout, closing\r\n"


def test_a_client_that_does_not_log_in_in_time_is_told_so_however_busy_it_is() -> None:
    spoken = Submitted()
    for _ in range(5):
        spoken.wait(10)
        assert codes(spoken.say(b"NOOP\r\n")) == [250]
    assert spoken.wait(9) == b""
    assert spoken.wait(2) == TIMEOUT
    assert spoken.transport.disconnecting
    spoken.clock.advance(61)
    assert spoken.transport.aborted


def test_the_time_before_login_holds_within_sasl_and_under_starttls() -> None:
    spoken = Submitted(implicit=False, starttls=True)
    spoken.start_tls()
    spoken.say(b"EHLO client.example.com\r\nAUTH LOGIN\r\n")
    assert spoken.wait(61) == TIMEOUT


def test_a_login_that_the_portal_has_may_take_longer() -> None:
    spoken = Submitted()
    spoken.post.checker.held = Deferred()
    spoken.say(b"EHLO client.example.com\r\n" + LOGIN)
    assert spoken.wait(100) == b""
    spoken.post.checker.held.callback(None)
    assert codes(spoken.settle()) == [235]
    assert not spoken.transport.closed


def test_after_the_login_each_command_has_its_own_time_and_half_a_command_none() -> None:
    spoken = logged_in()
    for _ in range(3):
        assert spoken.wait(299) == b""
        assert codes(spoken.say(b"NOOP\r\n")) == [250]
    spoken.wait(200)
    spoken.say(b"NOO")
    assert spoken.wait(101) == TIMEOUT


def test_refusals_take_their_time_which_doubles() -> None:
    spoken = Submitted(allowed=policy(strike_delay=1))
    spoken.say(b"EHLO client.example.com\r\n")
    for seconds, answered in ((1, [535]), (2, [535]), (4, [535, 421])):
        assert spoken.say(WRONG) == b""
        assert spoken.wait(seconds - 0.01) == b""
        assert codes(spoken.wait(0.011)) == answered
    assert spoken.transport.disconnecting


def test_a_message_may_pause_but_not_for_long() -> None:
    spoken = logged_in()
    spoken.begin_data()
    assert spoken.wait(179) == b""
    assert spoken.wait(2) == TIMEOUT
    assert [letter.discarded for letter in spoken.submission.letters] == [True]


def test_a_message_may_not_pause_again_and_again() -> None:
    spoken = logged_in()
    spoken.begin_data()
    spoken.wait(170)
    spoken.say(b"a")
    assert spoken.wait(129) == b""
    assert spoken.wait(2) == TIMEOUT


def test_a_sender_of_one_octet_a_second_is_dropped() -> None:
    spoken = logged_in()
    spoken.begin_data()
    seconds = 0
    while not spoken.transport.closed:
        spoken.say(b"a")
        spoken.wait(1)
        seconds += 1
        assert seconds < 400
    assert seconds > 250
    assert spoken.submission.accepted == []


def test_a_slow_line_brings_its_30_megabytes() -> None:
    spoken = logged_in()
    spoken.begin_data()
    # 4 KB a second, with a stall of a minute now and then.
    for part in range(30_000_000 // 65_536):
        spoken.session.dataReceived(b"x" * 65_534 + b"\r\n")
        spoken.clock.advance(60 if part % 50 == 0 else 16)
        assert not spoken.transport.closed
    assert codes(spoken.say(b".\r\n")) == [250]


def test_a_sender_who_makes_a_head_start_has_no_more_time_for_it() -> None:
    spoken = logged_in()
    spoken.begin_data()
    for _ in range(100):
        spoken.say(b"x" * 16_000)
    seconds = 0
    while not spoken.transport.closed and seconds < 1000:
        spoken.say(b"a")
        spoken.wait(100)
        seconds += 100
    assert seconds <= 400


def test_the_time_that_we_take_is_not_the_senders() -> None:
    spoken = logged_in()
    spoken.begin_data()
    for _ in range(5):
        spoken.submission.held["write"] = Deferred()
        spoken.say(b"a" * 2000)
        assert spoken.wait(1000) == b""
        spoken.submission.held.pop("write").callback(None)
        spoken.settle()
    spoken.submission.held["finish"] = Deferred()
    spoken.say(b"\r\n.\r\n")
    spoken.wait(1000)
    assert not spoken.transport.closed
    spoken.submission.held.pop("finish").callback(None)
    assert codes(spoken.settle()) == [250]


def test_a_peer_that_takes_nothing_is_dropped() -> None:
    spoken = logged_in()
    spoken.transport.producer.pauseProducing()
    spoken.say(TRANSACTION)
    spoken.clock.advance(59)
    assert not spoken.transport.closed
    spoken.clock.advance(2)
    assert spoken.transport.aborted


@pytest.mark.parametrize("said", [b"", b"EHLO a\r\n", b"EHLO a\r\nAUTH LOGIN\r\n", b"QUIT\r\n"])
def test_a_client_that_leaves_leaves_no_timer_behind(said: bytes) -> None:
    spoken = Submitted()
    spoken.say(said)
    spoken.lose()
    spoken.settle()
    assert spoken.clock.getDelayedCalls() == []
    assert spoken.factory.sessions == set()


def test_after_a_timeout_nothing_is_obeyed() -> None:
    spoken = logged_in()
    spoken.wait(301)
    assert spoken.say(b"NOOP\r\n") == b""
