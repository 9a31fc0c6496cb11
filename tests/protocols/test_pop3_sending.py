"""How messages and listings leave a POP3 session."""

from __future__ import annotations

import pytest

from sesmail.protocols.pop3.mailbox import SLICE
from sesmail.protocols.pop3.send import PIECE
from tests.protocols.memory import MemoryBody
from tests.protocols.spoken import session


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
