"""Who may log in to POP3, what STLS makes of a session, and what is logged."""

from __future__ import annotations

import logging

import pytest
from twisted.internet.defer import Deferred

from sesmail.protocols.pop3.policy import Policy
from tests.protocols.memory import MemoryPost
from tests.protocols.spoken import LOGIN, REFUSED, WRONG, Spoken, held, session


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
