"""Only CRLF, a dot and CRLF end a message that another mail server hands over, whatever that one was tricked into passing on."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.protocols.reception import LHLO, Received, policy
from tests.protocols.submitted import codes
from tests.protocols.test_smtp_smuggling import BARE, EVIL, WHOLE, every_cut, octet_by_octet

HEAD = b"Subject: a\r\n\r\none"


def handed_over(body: bytes, cuts: list[int], bare: str = "repair") -> Received:
    received = Received(allowed=policy(bare_newlines=bare))
    received.begin_data()
    said = HEAD + body + EVIL + b".\r\n"
    edges = [0, *sorted(cut % len(said) for cut in cuts), len(said)]
    answers = b"".join(received.say(said[start:end]) for start, end in pairwise(edges) if start < end)
    # An answer for each of two recipients, and to nothing else.
    assert len(codes(answers)) == 2
    assert codes(received.say(b"NOOP\r\n")) == [250]
    assert [entry for entry in received.reception.log if entry[0] == "sender"] == [("sender", "joe@example.com")]
    return received


@pytest.mark.parametrize("body", BARE)
def test_a_false_end_is_part_of_the_one_message_for_the_recipients_of_that(body: bytes) -> None:
    for cuts in (*every_cut(body), octet_by_octet(body)):
        (parcel,) = handed_over(body, cuts).reception.taken
        assert parcel.recipients == ("ann@example.net", "bob@example.net")
        assert parcel.data.endswith(EVIL)
        assert parcel.data.count(b"\n") == parcel.data.count(b"\r") == parcel.data.count(b"\r\n")


@pytest.mark.parametrize("body", BARE)
def test_a_false_end_is_refused_after_the_real_end_where_the_policy_says_so(body: bytes) -> None:
    for cuts in (*every_cut(body), octet_by_octet(body)):
        received = handed_over(body, cuts, "refuse")
        assert received.reception.taken == []
        assert [parcel.discarded for parcel in received.reception.parcels] == [True]


@pytest.mark.parametrize("body", WHOLE)
def test_what_has_whole_line_ends_comes_in_as_it_is(body: bytes) -> None:
    for cuts in (*every_cut(body), octet_by_octet(body)):
        (parcel,) = handed_over(body, cuts).reception.taken
        assert parcel.data == HEAD + body.replace(b"\r\n.", b"\r\n") + EVIL


def test_commands_of_another_protocol_within_a_message_are_part_of_it() -> None:
    received = Received()
    received.begin_data()
    body = LHLO + b"RSET\r\nSTARTTLS\r\nQUIT\r\n"
    assert codes(received.say(body + b".\r\n")) == [250, 250]
    (parcel,) = received.reception.taken
    assert parcel.data == body
