"""What becomes of a POP3 session whose client or store is lost: nothing is obeyed, nothing is left open."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from sesmail.errors import Unavailable
from tests.protocols.memory import MemoryBody
from tests.protocols.spoken import LOGIN, held, session


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
