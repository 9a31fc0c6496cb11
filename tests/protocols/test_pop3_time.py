"""How long a POP3 session waits, and for what."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from sesmail.errors import Busy
from sesmail.protocols.pop3.policy import Policy
from tests.protocols.spoken import LOGIN, REFUSED, WRONG, session


def test_autologout_drops_a_silent_peer_and_deletes_nothing() -> None:
    spoken = session(b"a\r\n")
    spoken.say(b"DELE 1\r\n")
    spoken.clock.advance(599)
    assert not spoken.transport.closed
    spoken.clock.advance(2)
    assert spoken.transport.aborted
    assert spoken.post.maildrop.removed == []
    assert spoken.post.realm.logouts == 1


def test_every_command_begins_the_autologout_anew_and_half_a_command_does_not() -> None:
    spoken = session()
    spoken.clock.advance(400)
    spoken.say(b"NOOP\r\n")
    spoken.clock.advance(400)
    assert not spoken.transport.closed
    spoken.say(b"NOO")
    spoken.clock.advance(201)
    assert spoken.transport.aborted


def test_the_time_before_login_is_one_whole_however_busy_the_peer_is() -> None:
    spoken = session(logged_in=False)
    for _ in range(5):
        spoken.clock.advance(10)
        assert spoken.say(b"USER x\r\n") == b"+OK now PASS\r\n"
    spoken.clock.advance(9)
    assert not spoken.transport.closed
    spoken.clock.advance(2)
    assert spoken.transport.aborted


def test_the_time_before_login_holds_within_sasl() -> None:
    spoken = session(logged_in=False)
    spoken.say(b"AUTH LOGIN\r\n")
    spoken.clock.advance(61)
    assert spoken.transport.aborted


def test_the_time_before_login_holds_while_we_send() -> None:
    spoken = session(logged_in=False, policy=Policy(stall=1000))
    spoken.transport.producer.pauseProducing()
    spoken.say(b"CAPA\r\n")
    spoken.clock.advance(61)
    assert spoken.transport.aborted


def test_a_login_that_the_portal_has_may_take_longer_but_no_other_follows_it() -> None:
    for refused in (False, True):
        spoken = session(logged_in=False)
        spoken.post.checker.held = Deferred()
        spoken.say((WRONG if refused else LOGIN) + b"STAT\r\n")
        spoken.clock.advance(61)
        assert not spoken.transport.closed
        spoken.transport.clear()
        spoken.post.checker.held.callback(None)
        spoken.settle()
        if refused:
            assert spoken.transport.value().startswith(REFUSED)
            assert spoken.transport.aborted
        else:
            assert spoken.transport.value().startswith(b"+OK")
            assert not spoken.transport.closed


def test_after_a_timeout_what_was_queued_is_not_obeyed() -> None:
    spoken = session()
    spoken.clock.advance(601)
    assert spoken.say(b"STAT\r\n") == b""


@pytest.mark.parametrize("name", [b"joe@example.com", b"nobody"])
def test_refusals_take_their_time_which_doubles(name: bytes) -> None:
    spoken = session(logged_in=False, policy=Policy(strike_delay=1))
    for seconds in (1, 2, 4):
        assert spoken.say(b"USER %b\r\nPASS wrong\r\n" % name) == b"+OK now PASS\r\n"
        spoken.transport.clear()
        spoken.clock.advance(seconds - 0.01)
        assert spoken.transport.value() == b""
        spoken.clock.advance(0.01)
        assert spoken.transport.value() == REFUSED
    assert spoken.transport.closed


def test_the_time_that_the_checker_took_is_part_of_a_refusal() -> None:
    spoken = session(logged_in=False, policy=Policy(strike_delay=1))
    spoken.post.checker.held = Deferred()
    spoken.say(WRONG)
    spoken.transport.clear()
    spoken.clock.advance(0.7)
    spoken.post.checker.held.callback(None)
    spoken.clock.advance(0.2)
    assert spoken.transport.value() == b""
    spoken.clock.advance(0.11)
    assert spoken.transport.value() == REFUSED


def test_a_good_login_is_not_delayed() -> None:
    assert session(logged_in=False, policy=Policy(strike_delay=1)).say(LOGIN).count(b"+OK") == 2


def test_a_locked_maildrop_is_said_at_once_and_is_no_strike() -> None:
    spoken = session(logged_in=False, policy=Policy(strike_delay=1))
    spoken.post.realm.failure = Busy()
    for _ in range(4):
        assert b"[IN-USE]" in spoken.say(LOGIN)
    assert not spoken.transport.closed


def test_a_peer_that_takes_nothing_is_dropped_and_the_body_closed() -> None:
    spoken = session(b"x\r\n" * 1000, b"y", policy=Policy(strike_delay=0, stall=60))
    spoken.transport.producer.pauseProducing()
    spoken.say(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
    spoken.clock.advance(59)
    assert not spoken.transport.closed
    spoken.clock.advance(2)
    assert spoken.transport.aborted
    assert [body.closed for body in spoken.post.maildrop.bodies] == [1]
    assert spoken.post.maildrop.removed == []


def test_a_peer_that_does_not_let_us_close_is_dropped() -> None:
    spoken = session()
    spoken.say(b"QUIT\r\n")
    assert spoken.transport.disconnecting
    assert not spoken.transport.aborted
    spoken.clock.advance(61)
    assert spoken.transport.aborted


def test_a_peer_that_closes_leaves_no_timer_behind() -> None:
    spoken = session()
    spoken.say(b"QUIT\r\n")
    spoken.session.connectionLost()
    assert spoken.clock.getDelayedCalls() == []
    assert spoken.factory.sessions == set()
