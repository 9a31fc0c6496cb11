"""Many submission sessions: limits, who they are for others, and their end together."""

from __future__ import annotations

import logging
from collections import Counter

import pytest
from twisted.internet.defer import Deferred

from sesmail.protocols.limits import Connections
from tests.protocols.spoken import MemoryTransport
from tests.protocols.submitted import LOGIN, STOPPING, TRANSACTION, WRONG, Submitted, codes, logged_in, policy


def drained(spoken: Submitted) -> Deferred[None]:
    spoken.transport.clear()
    return Deferred.fromCoroutine(spoken.factory.drain(30))


def test_too_many_connections_are_closed() -> None:
    spoken = Submitted()
    connections = spoken.factory._listener.connections
    assert isinstance(connections, Connections)
    connections.per_address = 1
    one_more = spoken.factory.buildProtocol(None)
    transport = MemoryTransport("192.0.2.1")
    one_more.makeConnection(transport)
    assert transport.aborted
    assert transport.value() == b""


@pytest.mark.parametrize("said", [b"", b"EHLO a\r\n", b"EHLO a\r\nAUTH LOGIN\r\n", b"EHLO a\r\n" + LOGIN + b"MAIL FROM:<>\r\n"])
def test_a_drain_tells_idle_sessions_why_they_are_closed(said: bytes) -> None:
    spoken = Submitted()
    spoken.say(said)
    done = drained(spoken)
    assert spoken.transport.value() == STOPPING
    assert spoken.transport.disconnecting
    spoken.session.connectionLost()
    spoken.settle()
    assert done.called


def test_a_drain_lets_a_message_come_to_its_end_and_obeys_nothing_behind_it() -> None:
    spoken = logged_in()
    spoken.begin_data()
    done = drained(spoken)
    spoken.say(b"body\r\n")
    assert not spoken.transport.closed
    spoken.submission.held["finish"] = Deferred()
    spoken.say(b".\r\n" + TRANSACTION)
    assert not spoken.transport.closed
    spoken.submission.held["finish"].callback(None)
    assert spoken.settle() == b"250 2.0.0 taken\r\n" + STOPPING
    assert len(spoken.submission.accepted) == 1
    assert spoken.transport.disconnecting
    spoken.session.connectionLost()
    spoken.settle()
    assert done.called


def test_a_drain_ends_a_message_that_does_not_end() -> None:
    spoken = logged_in()
    spoken.begin_data()
    done = drained(spoken)
    spoken.say(b"body\r\n")
    spoken.clock.advance(31)
    assert done.called
    assert spoken.transport.aborted
    assert [letter.discarded for letter in spoken.submission.letters] == [True]


def test_a_drain_lets_a_running_command_end() -> None:
    spoken = logged_in()
    spoken.submission.held["sender"] = Deferred()
    spoken.say(TRANSACTION)
    drained(spoken)
    assert not spoken.transport.closed
    spoken.submission.held["sender"].callback(None)
    assert spoken.settle() == b"250 2.1.0 sender ok\r\n" + STOPPING


def test_the_session_says_who_its_client_is() -> None:
    for implicit, protocol in ((True, "submissions"), (False, "submission")):
        spoken = Submitted(implicit=implicit, starttls=not implicit, peer="::ffff:192.0.2.7")
        if not implicit:
            spoken.start_tls()
        spoken.log_in()
        (mind,) = spoken.post.realm.minds
        assert (mind.peer, mind.protocol, mind.has_marks()) == ("192.0.2.7", protocol, False)
        spoken.clock.advance(5)
        assert mind.quiet_for() == 5
        spoken.lose()


def test_fates_are_logged_as_those_of_pop3_and_passwords_are_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    spoken = Submitted()
    spoken.say(b"EHLO client.example.com\r\n" + WRONG + LOGIN)
    fates = [record.getMessage() for record in caplog.records if record.name == "sesmail.fate"]
    assert fates == [
        "login-refused user=joe@example.com peer=192.0.2.1 protocol=submissions reason=BadLogin",
        "login user=joe@example.com peer=192.0.2.1 protocol=submissions",
    ]
    assert "secret" not in caplog.text
    assert "wrong" not in caplog.text


@pytest.mark.parametrize(
    ("flood", "most"), [(b"NOOP\r\n", 201), (b"X\r\n", 21), (b"EHLO a\r\n", 201), (b"MAIL FROM:<a\r\n", 21)]
)
def test_a_flood_of_commands_is_bounded_before_and_after_login(flood: bytes, most: int) -> None:
    for spoken in (Submitted(), logged_in()):
        answered = codes(spoken.say(flood * 10_000))
        assert answered[-1] == 421
        assert len(answered) == most
        assert spoken.transport.disconnecting


@pytest.mark.parametrize(
    "flood",
    [
        b"MAIL FROM:<>\r\nRSET\r\n",
        b"MAIL FROM:<>\r\nEHLO a\r\n",
        b"RSET\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n",
        b"RCPT TO:<a@b.example>\r\n",
        TRANSACTION + b"a\nb\r\n.\r\n",
        b"AUTH PLAIN\r\n",
    ],
)
def test_transactions_that_come_to_nothing_are_bounded(flood: bytes) -> None:
    spoken = logged_in()
    assert codes(spoken.say(flood * 1000))[-1] == 421
    assert spoken.transport.disconnecting


def test_a_login_that_is_never_finished_is_bounded() -> None:
    spoken = Submitted()
    assert codes(spoken.say(b"EHLO a\r\n" + b"AUTH PLAIN\r\n*\r\n" * 1000))[-1] == 421
    assert spoken.transport.disconnecting


def test_recipients_may_be_refused_by_the_hundred() -> None:
    spoken = logged_in(policy(max_recipients=5))
    said = b"".join(b"RCPT TO:<%d@example.net>\r\nRCPT TO:<broken>\r\n" % number for number in range(450))
    answered = codes(spoken.say(b"MAIL FROM:<joe@example.com>\r\n" + said + b"DATA\r\nbody\r\n.\r\n"))
    assert Counter(answered) == {250: 1 + 5 + 1, 452: 445, 501: 450, 354: 1}
    (letter,) = spoken.submission.accepted
    assert len(letter.recipients) == 5


def test_refused_recipients_are_bounded() -> None:
    spoken = logged_in()
    assert codes(spoken.say(b"MAIL FROM:<joe@example.com>\r\n" + b"RCPT TO:<broken>\r\n" * 2000))[-1] == 421
    assert spoken.transport.disconnecting


def test_any_number_of_messages_may_be_sent_in_one_session() -> None:
    spoken = logged_in()
    for _ in range(300):
        assert codes(spoken.say(b"NOOP\r\nRSET\r\n" + TRANSACTION + b"body\r\n.\r\n")) == [250, 250, 250, 250, 354, 250]
    assert len(spoken.submission.accepted) == 300
