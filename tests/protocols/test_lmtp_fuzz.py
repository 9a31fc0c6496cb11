"""Whatever a mail server says by LMTP, in whatever pieces: the same answers, one for each recipient of a message, no error of ours, and
nothing taken that was not ended by CRLF, a dot and CRLF."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sesmail.errors import Limited, Malformed, Refused, Unavailable
from sesmail.protocols.smtp.verbs import LMTP_VERBS
from tests.protocols.reception import LHLO, TRANSACTION, MemoryReception, Received, policy
from tests.protocols.test_smtp_fuzz import ARGUMENTS, PIECES, check_replies

LINES = st.one_of(
    st.tuples(st.sampled_from(sorted(LMTP_VERBS)), ARGUMENTS, st.sampled_from([b"\r\n", b"\n"])).map(b"".join),
    st.sampled_from([LHLO, TRANSACTION, b"RCPT TO:<ann@example.net>\r\n", b"x" * 600 + b"\r\n", b"\r\r\n", b"\0\n"]),
    st.binary(max_size=20).map(lambda octets: octets + b"\r\n"),
)
MESSAGES = st.lists(PIECES, max_size=8).map(lambda pieces: TRANSACTION + b"".join(pieces) + b"\r\n.\r\n")
TALK = st.lists(st.one_of(LINES, MESSAGES), max_size=15).map(b"".join)
FAILURES = st.dictionaries(
    st.sampled_from(["sender", "bob@example.net", "begin", "write", "finish"]),
    st.sampled_from([Refused, Unavailable, Limited, Malformed, RuntimeError]),
    max_size=2,
)


def answers(talk: bytes, edges: list[int], failures: dict[str, type[Exception]], bare: str) -> tuple[bytes, MemoryReception]:
    received = Received(allowed=policy(bare_newlines=bare, max_size=2000, errors=8))
    received.reception.failures.update({name: kind() for name, kind in failures.items()})
    got = b""
    for start, end in pairwise([0, *edges, len(talk)]):
        got += received.say(talk[start:end])
    received.lose()
    received.settle()
    assert received.clock.getDelayedCalls() == []
    return got, received.reception


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([b"", LHLO]),
    TALK,
    st.lists(st.integers(0, 2000), max_size=6),
    FAILURES,
    st.sampled_from(["refuse", "repair"]),
)
def test_any_talk_is_answered_the_same_however_it_is_cut(
    caplog: pytest.LogCaptureFixture,
    begun: bytes,
    said: bytes,
    cuts: list[int],
    failures: dict[str, type[Exception]],
    bare: str,
) -> None:
    caplog.clear()
    talk = begun + said
    whole, reception = answers(talk, [], failures, bare)
    cut, again = answers(talk, sorted(edge for edge in cuts if edge < len(talk)), failures, bare)
    assert cut == whole
    check_replies(whole)
    for one in (reception, again):
        assert all(parcel.finished != parcel.discarded for parcel in one.parcels)
        assert len(one.taken) <= talk.count(b"\r\n.\r\n")
        assert all(len(set(parcel.recipients)) == len(parcel.recipients) for parcel in one.parcels)
    for parcel in reception.taken:
        assert parcel.data.count(b"\r") == parcel.data.count(b"\n") == parcel.data.count(b"\r\n")
        assert len(parcel.data) <= 2000
    stored = sum(len(parcel.recipients) for parcel in reception.taken)
    assert whole.count(b"250 2.1.5 stored\r\n") >= stored
    if RuntimeError not in failures.values():
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
