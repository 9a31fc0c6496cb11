"""What comes in the clear behind STARTTLS, or before the greeting, is never obeyed."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.protocols.submitted import GREETING, LOGIN, Submitted, codes, policy

INJECTED = b"EHLO evil.example.com\r\n" + LOGIN


def in_the_clear() -> Submitted:
    return Submitted(implicit=False, starttls=True)


def test_octets_behind_starttls_end_the_connection() -> None:
    for behind in (INJECTED, b"\r\n", b"N"):
        spoken = in_the_clear()
        assert spoken.say(b"STARTTLS\r\n" + behind) == b""
        assert spoken.transport.aborted
        assert spoken.transport.tls is None
        assert spoken.post.checker.asked == []


def test_octets_behind_a_starttls_that_waits_in_the_queue_do_too() -> None:
    spoken = in_the_clear()
    spoken.transport.producer.pauseProducing()
    spoken.say(b"NOOP\r\nSTARTTLS\r\n")
    spoken.say(b"N")
    spoken.transport.producer.resumeProducing()
    spoken.settle()
    assert spoken.transport.aborted
    assert spoken.transport.tls is None


def test_octets_that_come_while_the_answer_to_starttls_waits_do_too() -> None:
    spoken = in_the_clear()
    spoken.transport.producer.pauseProducing()
    spoken.say(b"STARTTLS\r\n")
    spoken.say(b"N")
    spoken.transport.producer.resumeProducing()
    assert spoken.transport.aborted
    assert spoken.transport.tls is None


def test_tls_begins_a_new_session() -> None:
    spoken = in_the_clear()
    spoken.start_tls()
    assert codes(spoken.say(LOGIN)) == [503]
    assert b"AUTH PLAIN LOGIN" in spoken.say(b"EHLO client.example.com\r\n")
    assert spoken.session.helo == "client.example.com"


def test_in_the_clear_the_portal_is_never_asked() -> None:
    spoken = Submitted(implicit=False, starttls=True, peer="127.0.0.1")
    spoken.say(b"EHLO a\r\n" + LOGIN + b"AUTH LOGIN\r\nam9l\r\nAUTH XOAUTH2 =\r\n")
    assert spoken.post.checker.asked == []


def test_a_client_that_talks_before_the_greeting_is_turned_away() -> None:
    for implicit in (True, False):
        spoken = Submitted(implicit=implicit, starttls=True, greeted=False)
        assert spoken.say(b"EHLO a\r\nNOOP\r\n") == b"554 5.5.1 wait for the greeting\r\n"
        assert spoken.transport.disconnecting


def test_the_greeting_may_wait_for_those_who_talk_before_it() -> None:
    spoken = Submitted(allowed=policy(greeting_delay=2), greeted=False)
    spoken.wait(1.9)
    assert spoken.transport.value() == b""
    assert spoken.wait(0.1) == GREETING
    early = Submitted(allowed=policy(greeting_delay=2), greeted=False)
    early.wait(1)
    early.say(b"E")
    assert codes(early.wait(1)) == [554]


def test_a_login_that_is_asked_for_hears_nothing_that_was_said_in_the_clear() -> None:
    spoken = in_the_clear()
    spoken.say(b"EHLO evil.example.com\r\n")
    spoken.start_tls()
    spoken.post.checker.held = Deferred()
    assert codes(spoken.say(LOGIN)) == [503]
    assert spoken.post.checker.asked == []
