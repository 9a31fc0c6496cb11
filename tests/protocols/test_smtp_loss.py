"""What becomes of a message whose sender, or whose place to go to, is lost on the way."""

from __future__ import annotations

import logging
from unittest.mock import patch

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from sesmail.errors import Unavailable
from sesmail.protocols.smtp.data import Transfer
from tests.protocols.submitted import LOGIN, TRANSACTION, Submitted, codes, logged_in

SESSION = b"EHLO client.example.com\r\n" + LOGIN + TRANSACTION + b"Subject: a\r\n\r\nbody\r\n.\r\nQUIT\r\n"


@pytest.mark.parametrize("implicit", [True, False])
def test_a_connection_that_is_lost_anywhere_sends_all_or_nothing(implicit: bool) -> None:
    whole = SESSION.index(b"QUIT")
    for octets in range(len(SESSION) + 1):
        spoken = Submitted(implicit=implicit, starttls=not implicit)
        if not implicit:
            spoken.start_tls()
        spoken.say(SESSION[:octets])
        spoken.lose()
        spoken.settle()
        assert len(spoken.submission.accepted) == (octets >= whole), octets
        assert all(letter.finished or letter.discarded for letter in spoken.submission.letters)
        assert spoken.post.realm.logins == spoken.post.realm.logouts
        assert spoken.factory.sessions == set()
        assert spoken.clock.getDelayedCalls() == []


@pytest.mark.parametrize("step", ["sender", "recipient", "begin", "write", "finish"])
@pytest.mark.parametrize("fails", [False, True])
def test_a_connection_that_is_lost_while_we_are_asked(step: str, fails: bool, caplog: pytest.LogCaptureFixture) -> None:
    spoken = logged_in()
    waiting: Deferred[None] = Deferred()
    spoken.submission.held[step] = waiting
    spoken.say(TRANSACTION + b"body\r\n.\r\nMAIL FROM:<joe@example.com>\r\n")
    spoken.lose()
    if fails:
        waiting.errback(Failure(Unavailable()))
    else:
        waiting.callback(None)
    spoken.settle()
    # Once the end of the message was here, it goes its way: what is durable must not be taken back.
    assert len(spoken.submission.accepted) == (step == "finish" and not fails)
    assert all(letter.finished or letter.discarded for letter in spoken.submission.letters)
    assert [entry[0] for entry in spoken.submission.log].count("sender") == 1
    assert spoken.post.realm.logouts == 1
    assert spoken.factory.sessions == set()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_login_that_succeeds_after_the_client_left_is_logged_out_once() -> None:
    spoken = Submitted()
    spoken.post.checker.held = Deferred()
    spoken.say(b"EHLO client.example.com\r\n" + LOGIN + TRANSACTION)
    spoken.lose()
    spoken.post.checker.held.callback(None)
    spoken.settle()
    assert (spoken.post.realm.logins, spoken.post.realm.logouts) == (1, 1)
    assert spoken.submission.log == []


def test_a_refused_message_is_discarded_at_once_and_no_more_of_it_is_kept() -> None:
    spoken = logged_in()
    spoken.begin_data()
    spoken.say(b"one\r\n")
    spoken.submission.failures["write"] = Unavailable()
    spoken.say(b"two\r\n")
    (letter,) = spoken.submission.letters
    assert letter.discarded
    assert spoken.say(b"three\r\n") == b""
    assert codes(spoken.say(b".\r\n")) == [451]
    # Its line end is not known to be none of the final dot's until more has come.
    assert letter.data == b"one"


def test_an_error_of_ours_is_temporary_and_logged_without_words_of_the_client(caplog: pytest.LogCaptureFixture) -> None:
    for step in ("sender", "recipient", "begin", "write", "finish"):
        spoken = logged_in()
        spoken.submission.failures[step] = RuntimeError("bucket secret-bucket")
        answers = spoken.say(TRANSACTION + b"body\r\n.\r\n")
        assert b"451 4.3.0 temporary failure, try again later\r\n" in answers
        assert b"secret" not in answers
    assert caplog.text.count("secret-bucket") >= 5
    assert any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("step", ["write", "finish"])
def test_a_letter_that_cannot_be_discarded_is_read_to_its_end(step: str, caplog: pytest.LogCaptureFixture) -> None:
    spoken = logged_in()
    spoken.begin_data()

    async def fail() -> None:
        raise OSError("disk")

    spoken.submission.failures[step] = Unavailable()
    spoken.submission.letters[0].discard = fail  # type: ignore[method-assign]
    assert codes(spoken.say(b"body\r\n") + spoken.say(b"QUIT\r\n.\r\nNOOP\r\n")) == [451, 250]
    assert "disk" in caplog.text


def test_an_error_of_ours_within_a_message_leaves_none_of_it_to_be_obeyed(caplog: pytest.LogCaptureFixture) -> None:
    spoken = logged_in()
    with patch.object(Transfer, "_take", side_effect=ValueError("bug")):
        spoken.begin_data()
        assert spoken.say(b"body\r\nQUIT\r\n.\r\nNOOP\r\n") == b""
    assert spoken.transport.aborted
    assert spoken.submission.letters[0].discarded
    assert any(record.exc_info for record in caplog.records)
