"""In which order a POP3 session does what it was told, and what it answers when."""

from __future__ import annotations

import logging

import pytest
from twisted.internet.defer import Deferred

from sesmail.errors import Unavailable
from sesmail.protocols.pop3.mailbox import SLICE
from sesmail.protocols.pop3.policy import Policy
from tests.protocols.spoken import LOGIN, REFUSED, WRONG, session


def test_commands_wait_for_a_slow_login() -> None:
    spoken = session(b"a\r\n", logged_in=False)
    spoken.post.checker.held = Deferred()
    assert spoken.say(LOGIN + b"STAT\r\nQUIT\r\n") == b"+OK now PASS\r\n"
    spoken.transport.clear()
    spoken.post.checker.held.callback(None)
    assert spoken.transport.value() == b"+OK maildrop has 1 messages\r\n+OK 1 3\r\n+OK bye\r\n"


def test_quit_is_answered_when_the_messages_are_gone_and_the_maildrop_is_free() -> None:
    spoken = session(b"a\r\n")
    removal: Deferred[None] = Deferred()

    async def wait() -> None:
        await removal

    spoken.post.maildrop.before_remove = wait
    assert spoken.say(b"DELE 1\r\nQUIT\r\n") == b"+OK marked\r\n"
    assert spoken.post.maildrop.closed == 0
    spoken.transport.clear()
    removal.callback(None)
    assert spoken.transport.value() == b"+OK bye\r\n"
    assert spoken.post.maildrop.closed == 1


def test_a_removal_that_fails_is_told_and_the_maildrop_let_go() -> None:
    spoken = session(b"a\r\n")

    async def fail() -> None:
        raise Unavailable

    spoken.post.maildrop.before_remove = fail
    answers = spoken.say(b"DELE 1\r\nQUIT\r\n")
    assert answers.endswith(b"-ERR [SYS/TEMP] some deleted messages not removed\r\n")
    assert spoken.post.maildrop.closed == 1


def test_a_removal_goes_on_when_the_peer_leaves_and_then_the_maildrop_is_let_go() -> None:
    spoken = session(b"a\r\n")
    removal: Deferred[None] = Deferred()

    async def wait() -> None:
        await removal

    spoken.post.maildrop.before_remove = wait
    spoken.say(b"DELE 1\r\nQUIT\r\n")
    spoken.lose()
    assert spoken.post.maildrop.closed == 0
    removal.callback(None)
    assert spoken.post.maildrop.removed == [0]
    assert spoken.post.realm.logouts == 1


def test_every_fate_is_logged_though_the_peer_leaves_meanwhile(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    spoken = session(*[b"a\r\n"] * (2 * SLICE + 1))
    spoken.post.maildrop.old = tuple(range(2 * SLICE + 1))
    spoken.session.dataReceived(b"QUIT\r\n")
    spoken.lose()
    spoken.settle()
    assert sum(record.getMessage().startswith("deleted") for record in caplog.records) == 2 * SLICE + 1


def test_a_long_pipeline_lets_others_have_their_turn() -> None:
    spoken = session()
    spoken.transport.clear()
    spoken.session.dataReceived(b"NOOP\r\n" * 1000)
    assert 0 < spoken.transport.value().count(b"+OK") < 100
    spoken.settle()
    assert spoken.transport.value().count(b"+OK") == 1000


def test_input_behind_a_running_command_is_read_to_a_bound_and_then_held_back() -> None:
    spoken = session(logged_in=False, policy=Policy(strike_delay=0, pipeline=1000))
    spoken.post.checker.held = Deferred()
    spoken.say(LOGIN + b"NOOP\r\n" * 150)
    assert spoken.transport.producerState == "producing"
    spoken.say(b"NOOP\r\n" * 50)
    assert spoken.transport.producerState == "paused"
    spoken.transport.clear()
    spoken.post.checker.held.callback(None)
    spoken.settle()
    assert spoken.transport.producerState == "producing"
    assert spoken.transport.value().count(b"+OK") == 201


def test_a_line_longer_than_the_bound_is_still_read() -> None:
    spoken = session(logged_in=False, policy=Policy(strike_delay=0, pipeline=100))
    spoken.post.checker.held = Deferred()
    spoken.say(WRONG + b"USER joe@example.com\r\nPASS " + b"x" * 1000)
    assert spoken.transport.producerState == "paused"
    spoken.post.checker.held.callback(None)
    spoken.settle()
    assert spoken.transport.producerState == "producing"
    assert spoken.say(b"x\r\n") == REFUSED


def test_a_flood_behind_quit_is_let_in_or_the_goodbye_behind_it_is_never_read() -> None:
    spoken = session(logged_in=False, policy=Policy(strike_delay=0, pipeline=100))
    spoken.post.checker.held = Deferred()
    spoken.say(LOGIN + b"QUIT\r\n" + b"NOOP\r\n" * 50)
    assert spoken.transport.producerState == "paused"
    spoken.post.checker.held.callback(None)
    assert spoken.transport.disconnecting
    assert spoken.transport.producerState == "producing"
