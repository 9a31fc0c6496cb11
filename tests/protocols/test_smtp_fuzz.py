"""Whatever a client says, in whatever pieces: the same answers, each as RFC 5321 spells it, no error of ours, and nothing accepted
that was not ended by CRLF, a dot and CRLF."""

from __future__ import annotations

import logging
import re
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sesmail.errors import Limited, Malformed, NoSuchMailbox, Refused, Unavailable
from sesmail.protocols.smtp.verbs import VERBS
from tests.protocols.submitted import LOGIN, TRANSACTION, WRONG, Submitted, policy

# RFC 5321 section 4.2, with the reply codes that may be, and RFC 2034 section 4.
REPLY = re.compile(rb"(?P<code>[2-5][0-5][0-9])(?P<more>[ -])[\t -~]*\Z")
# Challenges, 354 and the answer to EHLO and HELO have none.
WITHOUT = re.compile(rb"334 |354 |250[ -](mail\.example\.com|[A-Z0-9]+( [A-Z0-9 ]+)?)\Z")
STATUS = re.compile(rb"(?P<code>[245])\d\d[ -](?P=code)\.\d{1,3}\.\d{1,3} ")

WORDS = st.sampled_from(sorted(VERBS))
ARGUMENTS = st.sampled_from(
    [
        b"",
        b" a",
        b" FROM:<joe@example.com>",
        b" FROM:<> SIZE=5",
        b" FROM:<joe@example.com> BODY=8BITMIME SIZE=9999",
        b" TO:<ann@example.net>",
        b" TO:<no@example.net>",
        b" PLAIN",
        b" LOGIN =",
        b"  ",
        b" \xff\0",
    ]
)
LINES = st.one_of(
    st.tuples(WORDS, ARGUMENTS, st.sampled_from([b"\r\n", b"\n"])).map(b"".join),
    st.sampled_from([LOGIN, WRONG, b"EHLO a\r\n" + LOGIN, TRANSACTION, b"*\r\n", b"x" * 600 + b"\r\n", b"\r\r\n", b"\0\n"]),
    st.binary(max_size=20).map(lambda octets: octets + b"\r\n"),
)
PIECES = st.one_of(
    st.sampled_from(
        [b".\r\n", b"..\r\n", b".\n", b"\n.\n", b"\r.\r", b"\r", b".", b"\r\n", b"\r\n.\r\n", b"Subject: a\r\n\r\n"]
    ),
    st.sampled_from([b"a\r\n", b".a\r\n", b"..\r\n", b"QUIT\r\n", b"\r\n\r\n", b"x" * 1500 + b"\r\n", b"x" * 17_000 + b"\r\n"]),
    st.binary(max_size=20),
)
MESSAGES = st.lists(PIECES, max_size=8).map(lambda pieces: TRANSACTION + b"".join(pieces) + b"\r\n.\r\n")
WHOLE_MESSAGES = st.lists(st.sampled_from([b"a\r\n", b"..\r\n", b"\r\n"]), max_size=8).map(
    lambda pieces: TRANSACTION + b"".join(pieces) + b".\r\n"
)
TALK = st.lists(st.one_of(LINES, MESSAGES, WHOLE_MESSAGES), max_size=15).map(b"".join)
FAILURES = st.dictionaries(
    st.sampled_from(["sender", "no@example.net", "begin", "write", "finish"]),
    st.sampled_from([Refused, Unavailable, Limited, Malformed, NoSuchMailbox, RuntimeError]),
    max_size=2,
)


def answers(talk: bytes, edges: list[int], failures: dict[str, type[Exception]], bare: str) -> tuple[bytes, Submitted]:
    spoken = Submitted(allowed=policy(bare_newlines=bare, max_size=2000, errors=8))
    spoken.submission.failures.update({name: kind() for name, kind in failures.items()})
    got = b""
    for start, end in pairwise([0, *edges, len(talk)]):
        got += spoken.say(talk[start:end])
    spoken.lose()
    spoken.settle()
    return got, spoken


def check_replies(replies: bytes) -> None:
    assert replies == b"" or replies.endswith(b"\r\n")
    for line in replies.split(b"\r\n")[:-1]:
        assert REPLY.match(line), line
        assert len(line) <= 510
        assert STATUS.match(line) or WITHOUT.match(line), line


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([b"", b"EHLO a\r\n" + LOGIN]),
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
    # What comes behind STARTTLS is told by its own tests; here TLS has begun.
    talk = begun + said
    whole, spoken = answers(talk, [], failures, bare)
    cut, again = answers(talk, sorted(edge for edge in cuts if edge < len(talk)), failures, bare)
    assert cut == whole
    check_replies(whole)
    for one in (spoken, again):
        assert all(letter.finished != letter.discarded for letter in one.submission.letters)
        assert one.post.realm.logins == one.post.realm.logouts
        assert one.clock.getDelayedCalls() == []
        assert len(one.submission.accepted) <= talk.count(b"\r\n.\r\n")
    taken = [letter.data for letter in spoken.submission.accepted]
    assert [letter.data for letter in again.submission.accepted] == taken
    for message in taken:
        assert message.count(b"\r") == message.count(b"\n") == message.count(b"\r\n")
        assert not message or message.endswith(b"\r\n")
        assert len(message) <= 2000
        if bare == "refuse":
            assert b"\r\n" + message in talk.replace(b"\r\n.", b"\r\n")
    if RuntimeError not in failures.values():
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@settings(max_examples=50)
@given(TALK)
def test_any_talk_in_the_clear_leads_to_no_login(said: bytes) -> None:
    spoken = Submitted(implicit=False, starttls=False)
    check_replies(spoken.say(said))
    spoken.lose()
    assert spoken.post.checker.asked == []
    assert spoken.submission.log == []
