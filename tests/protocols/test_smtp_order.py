"""Commands that come together are obeyed one after the other, however long each takes."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from sesmail.errors import Refused
from tests.protocols.submitted import LOGIN, TRANSACTION, Submitted, codes, logged_in, policy

MESSAGE = b"Subject: a\r\n\r\nbody\r\n"


def test_a_pipelined_transaction_waits_for_each_of_its_slow_answers() -> None:
    spoken = logged_in()
    held = spoken.submission.held
    for step in ("sender", "recipient", "begin", "write", "finish"):
        held[step] = Deferred()
    expected = {"sender": [], "recipient": [250], "begin": [250, 250], "write": [250, 250, 354], "finish": [250, 250, 354]}
    assert spoken.say(TRANSACTION + MESSAGE + b".\r\nNOOP\r\n") == b""
    for step, answered in expected.items():
        assert codes(bytes(spoken.transport.value())) == answered
        held[step].callback(None)
        spoken.settle()
    assert codes(bytes(spoken.transport.value())) == [250, 250, 354, 250, 250]
    assert [letter.data for letter in spoken.submission.accepted] == [MESSAGE]


def test_what_a_slow_answer_refuses_is_not_sent() -> None:
    spoken = logged_in()
    spoken.submission.held["sender"] = Deferred()
    spoken.say(TRANSACTION + b"RSET\r\n")
    spoken.submission.held["sender"].errback(Failure(Refused(smtp="553 5.7.1")))
    spoken.settle()
    assert codes(bytes(spoken.transport.value())) == [553, 503, 503, 250]
    assert spoken.submission.letters == []


def test_recipients_that_are_slow_and_refused_keep_their_places() -> None:
    spoken = logged_in()
    first: Deferred[None] = Deferred()
    spoken.submission.held["a@example.com"] = first
    spoken.submission.failures["b@example.com"] = Refused()
    names = (b"a", b"b", b"c")
    said = b"".join(b"RCPT TO:<%b@example.com>\r\n" % name for name in names)
    spoken.say(b"MAIL FROM:<joe@example.com>\r\n" + said)
    assert codes(bytes(spoken.transport.value())) == [250]
    first.callback(None)
    spoken.settle()
    assert codes(bytes(spoken.transport.value())) == [250, 250, 550, 250]
    assert spoken.submission.log == [
        ("sender", "joe@example.com"),
        ("recipient", "a@example.com", 0),
        ("recipient", "b@example.com", 1),
        ("recipient", "c@example.com", 1),
    ]


def test_nothing_is_obeyed_while_a_login_is_asked_for() -> None:
    spoken = Submitted()
    spoken.post.checker.held = Deferred()
    assert codes(spoken.say(b"EHLO client.example.com\r\n" + LOGIN + TRANSACTION)) == [250]
    spoken.post.checker.held.callback(None)
    assert codes(spoken.settle()) == [250, 235, 250, 250, 354]


def test_a_message_is_held_back_while_its_sink_is_slow() -> None:
    spoken = logged_in()
    spoken.begin_data()
    spoken.submission.held["write"] = Deferred()
    spoken.say(b"x" * 16_000)
    for _ in range(10):
        if spoken.transport.producerState == "paused":
            break
        spoken.say(b"x" * 8_000)
    assert spoken.transport.producerState == "paused"
    assert spoken.session.unread <= policy().pipeline + 8_000
    spoken.submission.held.pop("write").callback(None)
    spoken.settle()
    assert spoken.transport.producerState == "producing"


def test_what_comes_behind_the_end_of_a_message_is_obeyed_after_it() -> None:
    spoken = logged_in()
    spoken.begin_data()
    spoken.submission.held["finish"] = Deferred()
    assert spoken.say(MESSAGE + b".\r\nMAIL FROM:<joe@example.com>\r\nQUI") == b""
    spoken.submission.held.pop("finish").callback(None)
    assert codes(spoken.settle()) == [250, 250]
    assert codes(spoken.say(b"T\r\n")) == [221]


def test_the_envelope_and_the_way_it_came_go_with_the_message() -> None:
    spoken = logged_in()
    spoken.say(b'MAIL FROM:<@a.example,@b.example:JOE@Example.COM>\r\nRCPT TO:<"a b"@example.net>\r\nDATA\r\n.\r\n')
    (letter,) = spoken.submission.accepted
    assert (letter.sender, letter.recipients) == ("JOE@example.com", ('"a b"@example.net',))
    assert (letter.hop.peer, letter.hop.helo, letter.hop.protocol) == ("192.0.2.1", "client.example.com", "ESMTPSA")


def test_one_transaction_leaves_nothing_to_the_next() -> None:
    spoken = logged_in()
    spoken.say(TRANSACTION + b".\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n.\r\n")
    assert [(letter.sender, letter.recipients) for letter in spoken.submission.accepted] == [
        ("joe@example.com", ("ann@example.net",)),
        ("", ("bob@example.org",)),
    ]
