"""One POP3 session in memory, with a clock that is turned by hand: time, loss, order, logout."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.mail import pop3
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from sesmail.errors import Busy, Unavailable
from sesmail.protocols.limits import Connections
from sesmail.protocols.pop3.mailbox import SLICE, PopMailbox
from sesmail.protocols.pop3.policy import Policy
from sesmail.protocols.pop3.send import PIECE
from tests.protocols.dialogs import MemoryTransport, Spoken
from tests.protocols.memory import MemoryBody, MemoryMaildrop, MemoryPost

LOGIN = b"USER joe@example.com\r\nPASS secret\r\n"
WRONG = b"USER joe@example.com\r\nPASS wrong\r\n"
REFUSED = b"-ERR [AUTH] invalid login or password\r\n"


def session(*messages: bytes, policy: Policy | None = None, logged_in: bool = True) -> Spoken:
    spoken = Spoken(MemoryPost(*messages), policy)
    if logged_in:
        spoken.log_in()
    return spoken


def held(piece: bytes = b"a\r\n") -> tuple[Spoken, Deferred[bytes], MemoryBody]:
    """A session in the middle of RETR 1: one piece is out, the next one is waited for, DELE and QUIT are queued."""
    spoken = session(b"a\r\n" * 2)
    coming: Deferred[bytes] = Deferred()
    body = MemoryBody([piece, coming])
    spoken.post.maildrop.body = lambda index: body  # type: ignore[method-assign]
    assert spoken.say(b"RETR 1\r\nDELE 1\r\nQUIT\r\n") == b"+OK 6 octets\r\n" + piece
    return spoken, coming, body


# Time


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


# Order


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


# Loss


def test_what_is_queued_is_not_obeyed_when_the_transport_dies_before_the_connection() -> None:
    spoken, coming, body = held()
    spoken.transport.producer.stopProducing()
    coming.callback(b"b\r\n")
    spoken.settle()
    spoken.session.connectionLost()
    assert spoken.post.maildrop.removed == []
    assert spoken.post.maildrop.learned == {}
    assert body.closed == 1
    assert spoken.post.realm.logouts == 1


def test_a_lost_peer_frees_the_maildrop_at_once_though_the_store_is_slow() -> None:
    spoken, coming, body = held()
    spoken.lose()
    assert body.closed == 1
    assert spoken.post.maildrop.closed == 1
    assert spoken.factory.sessions == set()
    coming.errback(Failure(Unavailable()))


def test_a_message_that_opens_after_the_peer_left_is_closed() -> None:
    spoken = session(b"a\r\n")
    opening: Deferred[None] = Deferred()
    body = MemoryBody([b"a\r\n"])

    async def slow(index: int, **_: Any) -> MemoryBody:
        await opening
        return body

    spoken.post.maildrop.open = slow  # type: ignore[method-assign]
    spoken.say(b"RETR 1\r\n")
    spoken.lose()
    assert spoken.post.maildrop.closed == 1
    opening.callback(None)
    assert body.closed == 1


def test_a_login_that_succeeds_after_the_peer_left_is_logged_out_once() -> None:
    spoken = session(logged_in=False)
    spoken.post.checker.held = Deferred()
    spoken.say(LOGIN + b"STAT\r\n")
    spoken.lose()
    assert spoken.factory.sessions
    spoken.post.checker.held.callback(None)
    assert (spoken.post.realm.logins, spoken.post.realm.logouts) == (1, 1)
    assert spoken.factory.sessions == set()


@pytest.mark.parametrize("end", ["quit", "lose", "abort", "quit and lose"])
def test_logout_is_called_once_however_the_session_ends(end: str) -> None:
    spoken = session()
    if "quit" in end:
        spoken.say(b"QUIT\r\n")
    if "lose" in end:
        spoken.lose()
    if "abort" in end:
        spoken.session.abort()
        spoken.session.connectionLost()
    assert spoken.post.realm.logouts == 1


def test_a_logout_that_fails_is_logged_and_quit_still_answered(caplog: pytest.LogCaptureFixture) -> None:
    spoken = session()

    async def fail() -> None:
        raise RuntimeError("lock")

    spoken.post.maildrop.close = fail  # type: ignore[method-assign]
    assert spoken.say(b"QUIT\r\n") == b"+OK bye\r\n"
    assert "a logout failed" in caplog.text


def test_a_store_that_breaks_off_ends_the_connection_without_a_final_dot() -> None:
    spoken, coming, body = held()
    spoken.transport.clear()
    coming.errback(Failure(Unavailable()))
    assert spoken.transport.aborted
    assert spoken.transport.value() == b""
    assert body.closed == 1
    assert spoken.post.maildrop.removed == []
    assert spoken.post.maildrop.learned == {}


def test_a_store_that_breaks_off_before_the_first_octet_is_refused_by_name() -> None:
    spoken = session(b"a\r\n")
    body = MemoryBody([Unavailable()])
    spoken.post.maildrop.body = lambda index: body  # type: ignore[method-assign]
    assert spoken.say(b"RETR 1\r\nNOOP\r\n") == b"-ERR [SYS/TEMP] temporary failure, try again later\r\n+OK\r\n"
    assert body.closed == 1


def test_an_error_of_ours_is_temporary_for_the_peer_and_logged_without_words_of_his(caplog: pytest.LogCaptureFixture) -> None:
    spoken = session(b"a\r\n")
    spoken.post.maildrop.failures[0] = RuntimeError("bucket secret-bucket")
    assert spoken.say(b"RETR 1\r\n") == b"-ERR [SYS/TEMP] temporary failure, try again later\r\n"
    assert "secret-bucket" in caplog.text
    assert any(record.exc_info for record in caplog.records)


# Sending


def test_a_small_message_leaves_in_one_write() -> None:
    spoken = session(b"A: b\r\n\r\n.\r\n")
    spoken.transport.writes.clear()
    spoken.say(b"RETR 1\r\n")
    assert spoken.transport.writes == [b"+OK 11 octets\r\nA: b\r\n\r\n..\r\n.\r\n"]


def test_a_big_message_leaves_in_pieces_and_no_faster_than_it_is_taken() -> None:
    spoken = session(b"x" * 1000 + b"\r\n")
    spoken.post.maildrop.messages[0] *= 1000
    spoken.say(b"NOOP\r\n")
    spoken.transport.writes.clear()
    spoken.transport.producer.pauseProducing()
    spoken.say(b"RETR 1\r\n")
    assert len(spoken.transport.writes) == 1
    assert len(spoken.transport.writes[0]) <= PIECE + 100
    spoken.transport.producer.resumeProducing()
    assert len(spoken.transport.writes) == 5
    assert b"".join(spoken.transport.writes).endswith(b"x\r\n.\r\n")


def test_a_whole_message_teaches_its_octets_and_a_top_does_not() -> None:
    spoken = session(b"a\nb\n", b"c\r\n\r\nd\r\n")
    spoken.say(b"RETR 1\r\nTOP 2 9\r\n")
    assert spoken.post.maildrop.learned == {0: 6}


def test_top_opens_the_head_and_reads_no_further_than_it_must() -> None:
    spoken = session(b"A: b\r\n\r\nbody\r\n")
    body = MemoryBody([b"A: b\r\n\r\n", b"one\r\n", b"two\r\n"])
    spoken.post.maildrop.body = lambda index: body  # type: ignore[method-assign]
    assert spoken.say(b"TOP 1 0\r\n") == b"+OK top of message follows\r\nA: b\r\n\r\n.\r\n"
    assert body.pieces == [b"one\r\n", b"two\r\n"]
    assert body.closed == 1
    assert spoken.post.maildrop.opened == [(0, True, frozenset())]


def test_reading_ahead_is_told_what_is_marked() -> None:
    spoken = session(b"a\r\n", b"b\r\n", b"c\r\n")
    spoken.say(b"DELE 2\r\nRETR 1\r\n")
    assert spoken.post.maildrop.opened == [(0, False, frozenset({1}))]


@pytest.mark.parametrize("verb", [b"LIST", b"UIDL", b"STAT"])
def test_a_big_maildrop_is_listed_in_slices_with_turns_between(verb: bytes) -> None:
    spoken = session(*[b"a\r\n"] * 10_500)
    spoken.transport.clear()
    spoken.session.dataReceived(verb + b"\r\n")
    assert spoken.transport.value().count(b"\r\n") <= SLICE + 1
    for _ in range(5):
        spoken.settle()
    lines = spoken.transport.value().split(b"\r\n")
    if verb == b"STAT":
        assert lines == [b"+OK 10500 31500", b""]
    else:
        assert [line.partition(b" ")[0] for line in lines[1:-2]] == [b"%d" % number for number in range(1, 10_501)]
        assert lines[-2:] == [b".", b""]


def test_a_listing_that_breaks_off_ends_the_connection_without_a_final_dot() -> None:
    spoken = session(*[b"a\r\n"] * 3000)
    real = spoken.post.maildrop.uidl

    def uidl(index: int) -> bytes:
        if index == 2500:
            raise RuntimeError
        return real(index)

    spoken.post.maildrop.uidl = uidl  # type: ignore[method-assign]
    answers = spoken.say(b"UIDL\r\n")
    assert spoken.transport.aborted
    assert b"\r\n.\r\n" not in answers
    assert b"-ERR" not in answers


# Logins


def test_a_password_may_hold_spaces_and_any_octets() -> None:
    spoken = session(logged_in=False)
    for password in (b"a b  c ", b" lead", b"\xe4\x00\xff"):
        spoken.say(b"USER bytes\r\nPASS " + password + b"\r\n")
        assert spoken.post.checker.asked[-1] == (b"bytes", password)
    assert spoken.post.realm.logins == 1


def test_without_tls_the_portal_is_never_asked() -> None:
    spoken = Spoken(MemoryPost(), Policy(plaintext="never"), stls=True)
    spoken.say(LOGIN + b"AUTH PLAIN AGpvZUBleGFtcGxlLmNvbQBzZWNyZXQ=\r\n")
    assert spoken.post.checker.asked == []


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_peers_on_this_host_may_log_in_without_tls(peer: str) -> None:
    assert Spoken(MemoryPost(), peer=peer).say(LOGIN).count(b"+OK") == 2


@pytest.mark.parametrize("peer", ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "fe80::1%eth0"])
def test_peers_from_elsewhere_may_not(peer: str) -> None:
    assert Spoken(MemoryPost(), peer=peer).say(LOGIN).count(b"-ERR [AUTH]") == 2


def test_a_listener_under_tls_takes_passwords_and_offers_no_stls() -> None:
    spoken = Spoken(MemoryPost(), Policy(plaintext="never"), stls=True, implicit=True)
    capabilities = spoken.say(b"CAPA\r\n")
    assert b"USER" in capabilities
    assert b"STLS" not in capabilities
    spoken.log_in()
    assert spoken.session.protocol == "pop3s"


def test_octets_behind_stls_end_the_connection_and_are_not_obeyed() -> None:
    spoken = Spoken(MemoryPost(), stls=True)
    assert spoken.say(b"STLS\r\nUSER joe@example.com\r\n") == b""
    assert spoken.transport.aborted
    assert spoken.transport.tls is None


def test_octets_behind_a_stls_that_waits_in_the_queue_are_not_obeyed_either() -> None:
    spoken = Spoken(MemoryPost(), stls=True)
    spoken.post.checker.held = Deferred()
    spoken.say(WRONG + b"STLS\r\n")
    spoken.say(b"N")
    spoken.transport.clear()
    spoken.post.checker.held.callback(None)
    spoken.settle()
    assert spoken.transport.value() == REFUSED
    assert spoken.transport.aborted
    assert spoken.transport.tls is None


def test_octets_that_come_while_the_answer_to_stls_waits_are_not_obeyed() -> None:
    spoken = Spoken(MemoryPost(), stls=True)
    spoken.transport.producer.pauseProducing()
    spoken.say(b"STLS\r\n")
    spoken.say(b"NOOP\r\n")
    spoken.transport.producer.resumeProducing()
    assert spoken.transport.aborted
    assert spoken.transport.tls is None


def test_fates_are_logged_and_passwords_are_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    spoken = session(b"a\n", logged_in=False)
    spoken.say(b"USER evil\r\nname\r\nPASS hunter2\r\nUSER e v=l\r\nPASS hunter3\r\n" + LOGIN + b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
    assert [record.getMessage() for record in caplog.records if record.name == "sesmail.fate"] == [
        "login-refused user=evil peer=127.0.0.1 protocol=pop3 reason=BadLogin",
        'login-refused user="e v=l" peer=127.0.0.1 protocol=pop3 reason=BadLogin',
        "login user=joe@example.com peer=127.0.0.1 protocol=pop3",
        "retrieved user=joe@example.com peer=127.0.0.1 uidl=id1 octets=3",
        "deleted user=joe@example.com peer=127.0.0.1 uidl=id1",
    ]
    assert not {"hunter2", "hunter3", "secret"} & set(caplog.text.replace("'", " ").split())


def test_a_session_is_the_client_that_cred_hears_of() -> None:
    spoken = session(b"a\r\n")
    assert spoken.post.realm.minds == [spoken.session]
    assert (spoken.session.peer, spoken.session.protocol) == ("127.0.0.1", "pop3")
    assert not spoken.session.has_marks()
    spoken.clock.advance(31)
    assert spoken.session.quiet_for() == 31
    spoken.say(b"DELE 1\r\n")
    assert spoken.session.quiet_for() == 0
    assert spoken.session.has_marks()
    spoken.say(b"RSET\r\n")
    assert not spoken.session.has_marks()


def test_a_session_is_not_quiet_while_a_command_runs() -> None:
    spoken, coming, _ = held()
    spoken.clock.advance(31)
    assert spoken.session.quiet_for() == 0
    coming.callback(b"b\r\n")


# Many


def test_too_many_connections_are_closed_and_the_next_may_come_when_one_left() -> None:
    spoken = session()
    spoken.factory._listener.connections.per_address = 1
    one_more = spoken.factory.buildProtocol(None)
    transport = MemoryTransport()
    one_more.makeConnection(transport)
    assert transport.aborted
    assert transport.value() == b""
    one_more.connectionLost()
    spoken.lose()
    another = spoken.factory.buildProtocol(None)
    another.makeConnection(MemoryTransport())
    assert spoken.factory.sessions == {another}


def test_connections_are_counted_by_address_by_ipv6_network_and_in_all() -> None:
    connections = Connections(total=5, per_address=2)
    assert [connections.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert [connections.enter(f"2001:db8:0:1::{n}") for n in range(3)] == [True, True, False]
    assert connections.enter("2001:db8:0:2::1")
    assert not connections.enter("192.0.2.2")
    connections.leave("2001:db8:0:1::9")
    assert connections.enter("2001:db8:0:1::1")


def test_peers_without_an_address_count_in_all_only() -> None:
    connections = Connections(total=3, per_address=1)
    assert [connections.enter("unix") for _ in range(4)] == [True, True, True, False]


def test_a_drain_closes_idle_sessions_at_once_and_removes_nothing() -> None:
    spoken = session(b"a\r\n")
    spoken.say(b"DELE 1\r\n")
    drained = Deferred.fromCoroutine(spoken.factory.drain(30))
    assert spoken.transport.disconnecting
    spoken.session.connectionLost()
    spoken.clock.advance(0)
    assert drained.called
    assert spoken.post.maildrop.removed == []


def test_a_drain_lets_a_transfer_end_and_obeys_nothing_behind_it() -> None:
    spoken, coming, _ = held()
    drained = Deferred.fromCoroutine(spoken.factory.drain(30))
    spoken.clock.advance(29)
    assert not spoken.transport.closed
    coming.callback(b"b\r\n")
    assert spoken.transport.value().endswith(b"b\r\n.\r\n")
    assert spoken.transport.disconnecting
    spoken.session.connectionLost()
    spoken.clock.advance(0)
    assert drained.called
    assert spoken.post.maildrop.removed == []


def test_a_drain_ends() -> None:
    spoken, coming, _ = held()
    drained = Deferred.fromCoroutine(spoken.factory.drain(30))
    spoken.clock.advance(31)
    assert drained.called
    assert spoken.transport.aborted
    coming.callback(b"")


def test_a_drain_of_nobody_is_over_at_once() -> None:
    spoken = session()
    spoken.lose()
    drained = Deferred.fromCoroutine(spoken.factory.drain(30))
    spoken.clock.advance(0)
    assert drained.called


# The mailbox for others


def test_the_mailbox_is_one_for_twisted() -> None:
    assert verifyObject(pop3.IMailbox, PopMailbox(MemoryMaildrop([])))


def test_an_empty_mailbox_is_true() -> None:
    assert PopMailbox(MemoryMaildrop([]))


def test_twisted_s_own_server_serves_the_mailbox() -> None:
    post = MemoryPost(b"A: b\r\n\r\nbody\r\n", b"bare\nlf")
    post.maildrop.piece = 1
    mailbox = PopMailbox(post.maildrop)
    server: Any = pop3.POP3()
    server.mbox = mailbox
    server.schedule = lambda lines: [None for _ in lines] and Deferred()
    transport = MemoryTransport()
    server.transport = transport
    for command in (b"RETR 1", b"RETR 2"):
        transport.clear()
        server.blocked = None
        server.lineReceived(command)
        while transport.producer is not None:
            transport.producer.resumeProducing()
        assert transport.value().endswith(b"\r\n.\r\n")
        assert b"\r\r\n" not in transport.value()
    server.setTimeout(None)


def test_the_mailbox_says_to_twisted_what_it_expects() -> None:
    maildrop = MemoryMaildrop([b"a\r\n", b"bb\r\n"])
    mailbox = PopMailbox(maildrop)
    mailbox.deleteMessage(0)
    assert mailbox.listMessages() == [0, 4]
    assert mailbox.listMessages(0) == 0
    assert mailbox.getUidl(0) == b"id1"
    for index in (-1, 2):
        for ask in (mailbox.listMessages, mailbox.getMessage, mailbox.getUidl, mailbox.deleteMessage):
            with pytest.raises(ValueError, match="no such message"):
                ask(index)
    with pytest.raises(ValueError, match="message is deleted"):
        mailbox.deleteMessage(0)
    mailbox.undeleteMessages()
    mailbox.deleteMessage(1)
    done: list[Any] = []
    mailbox.sync().addCallback(done.append)
    assert (maildrop.removed, done) == ([1], [None])


def test_sync_fails_when_messages_remain() -> None:
    mailbox = PopMailbox(MemoryMaildrop([b"a\r\n"], stuck={0}))
    mailbox.deleteMessage(0)
    failed: list[Failure] = []
    mailbox.sync().addErrback(failed.append)
    assert failed[0].check(Unavailable)
