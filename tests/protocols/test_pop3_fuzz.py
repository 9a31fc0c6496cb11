"""Whatever a client says, in whatever pieces: the same answers, no error of ours, nothing removed without QUIT."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sesmail.protocols.pop3.verbs import VERBS
from tests.protocols.memory import MemoryPost
from tests.protocols.spoken import LOGIN, Spoken

# How octets behind STLS came decides what becomes of them; its own tests say how.
WORDS = st.sampled_from([verb for verb in sorted(VERBS) if verb != b"STLS"])
ARGUMENTS = st.sampled_from(
    [b"", b" 1", b" 2", b" 3", b" 0", b" -1", b" 1 1", b" x", b" PLAIN", b" LOGIN =", b"  ", b" \xff\0"]
)
LINES = st.one_of(
    st.tuples(WORDS, ARGUMENTS, st.sampled_from([b"\r\n", b"\n"])).map(b"".join),
    st.sampled_from([LOGIN, b"*\r\n", b"AGpvZUBleGFtcGxlLmNvbQBzZWNyZXQ=\r\n", b"x" * 300 + b"\r\n", b"\r\r\n", b"\0\n"]),
    st.binary(max_size=20).map(lambda octets: octets + b"\r\n"),
)
TALK = st.lists(LINES, max_size=25).map(b"".join)


def answers(talk: bytes, edges: list[int]) -> tuple[bytes, MemoryPost, bool]:
    spoken = Spoken(MemoryPost(b"A: b\r\n\r\n.one\r\n", b"\n.\n", b"three"))
    got = spoken.transport.value()
    for start, end in pairwise([0, *edges, len(talk)]):
        got += spoken.say(talk[start:end])
    return got, spoken.post, spoken.transport.closed


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TALK, st.lists(st.integers(0, 2000), max_size=6))
def test_any_talk_is_answered_the_same_however_it_is_cut(
    caplog: pytest.LogCaptureFixture, talk: bytes, cuts: list[int]
) -> None:
    caplog.clear()
    whole, post, closed = answers(talk, [])
    cut, _, closed_too = answers(talk, sorted(edge for edge in cuts if edge < len(talk)))
    assert (cut, closed_too) == (whole, closed)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    if b"QUIT" not in talk.upper():
        assert post.maildrop.removed == []
