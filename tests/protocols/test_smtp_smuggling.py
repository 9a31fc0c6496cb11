"""Only CRLF, a dot and CRLF end a message. Whatever else looks like an end, no octet behind it is obeyed."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from tests.protocols.submitted import Submitted, codes, logged_in, policy

EVIL = b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nSubject: evil\r\n\r\nevil\r\n"
# Every spelling of an end in which something is missing or too much, and lines that are cut off or joined.
BARE = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\n.\r",
    b"\r.\n",
    b"\r\r\n.\r\r\n",
    b"\r\n.\r\r\n",
    b"\r\r\n.\n",
    b"\n\n.\r\n",
    b"\r\n\n.\r\n",
    b"\r\n\r.\r\n",
    b"\r\n.\r\0\n",
]
WHOLE = [
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\n. \r\n",
    b"\r\n .\r\n",
    b"\r\n..\r\n",
    b"\r\n.\xa0\r\n",
    b"\r\n\xe2\x80\xa8.\xe2\x80\xa8\r\n",
    b"\x85.\x85",
    b"\x0b.\x0b\r\n",
    b"\r\n%2e\r\n",
    b"\r\n=2E\r\n",
    b"\r\n" + b"x" * 16_384 + b"\r\n",
    b"\r\n" + b"x" * 70_000 + b"\r\n",
    b"\r\n.x\r\n",
]


def spoken_message(body: bytes, cuts: list[int], bare: str) -> Submitted:
    spoken = logged_in(policy(bare_newlines=bare))
    spoken.begin_data()
    message = b"Subject: a\r\n\r\none" + body + EVIL
    said = message + b".\r\n"
    edges = [0, *sorted(cut % len(said) for cut in cuts), len(said)]
    answers = b"".join(spoken.say(said[start:end]) for start, end in pairwise(edges) if start < end)
    # One answer to one message, and to nothing else.
    assert len(codes(answers)) == 1
    assert codes(spoken.say(b"NOOP\r\n")) == [250]
    assert [entry for entry in spoken.submission.log if entry[0] == "sender"] == [("sender", "joe@example.com")]
    return spoken


def every_cut(body: bytes) -> list[list[int]]:
    length = len(body) + len(EVIL) + 30
    chance = random.Random(length)
    some = [sorted(chance.randrange(length) for _ in range(chance.randrange(1, 12))) for _ in range(10)]
    return [[], *([edge] for edge in range(len(b"Subject: a\r\n\r\none"), 26 + min(len(body), 8))), *some]


def octet_by_octet(body: bytes) -> list[int]:
    return list(range(len(body) + len(EVIL) + 30)) if len(body) < 1000 else []


@pytest.mark.parametrize("body", BARE)
def test_a_false_end_with_a_bare_cr_or_lf_is_refused_after_the_real_end(body: bytes) -> None:
    for cuts in (*every_cut(body), octet_by_octet(body)):
        spoken = spoken_message(body, cuts, "refuse")
        assert spoken.submission.accepted == []
        assert [letter.discarded for letter in spoken.submission.letters] == [True]


@pytest.mark.parametrize("body", BARE)
def test_a_false_end_that_is_repaired_is_part_of_the_one_message(body: bytes) -> None:
    for cuts in (*every_cut(body), octet_by_octet(body)):
        (letter,) = spoken_message(body, cuts, "repair").submission.accepted
        assert letter.data.endswith(EVIL)
        assert letter.data.count(b"\n") == letter.data.count(b"\r") == letter.data.count(b"\r\n")


@pytest.mark.parametrize("body", WHOLE)
def test_a_false_end_with_whole_line_ends_is_part_of_the_one_message(body: bytes) -> None:
    for cuts in (*every_cut(body), octet_by_octet(body)):
        (letter,) = spoken_message(body, cuts, "refuse").submission.accepted
        assert letter.data == b"Subject: a\r\n\r\none" + body.replace(b"\r\n.", b"\r\n") + EVIL


def test_the_real_end_is_found_wherever_it_is_cut() -> None:
    said = b"Subject: a\r\n\r\nbody\r\n.\r\nNOOP\r\n"
    for edge in range(len(said)):
        spoken = logged_in()
        spoken.begin_data()
        assert codes(spoken.say(said[:edge]) + spoken.say(said[edge:])) == [250, 250]
        assert [letter.data for letter in spoken.submission.accepted] == [b"Subject: a\r\n\r\nbody\r\n"]


@pytest.mark.parametrize("octets", [16_384, 16_385, 17_000, 65_536, 300_000])
def test_no_line_of_a_message_is_too_long_and_none_becomes_a_command(octets: int) -> None:
    spoken = logged_in()
    spoken.begin_data()
    body = b"x" * octets + b"\r\n" + EVIL
    for start in range(0, len(body), 16_384):
        assert spoken.say(body[start : start + 16_384]) == b""
    assert codes(spoken.say(b".\r\n")) == [250]
    (letter,) = spoken.submission.accepted
    assert letter.data == body
