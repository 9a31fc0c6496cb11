"""Headers: where they end, which fields they have, and that nothing but whole fields ever changes."""

from __future__ import annotations

import email
import email.policy
import re
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sesmail.errors import Malformed
from sesmail.interfaces import Hop
from sesmail.mail.headers import date, end_of_header, field, fields, message_id, one, prepended, received, without

HEAD = b"From: joe@example.com\r\nX-Long: one\r\n\ttwo\r\n  three\r\nTo:a@example.com\r\nBCC: b@example.com,\r\n c@example.com\r\n\r\n"
NAMES = st.sampled_from([b"From", b"fROM", b"Bcc", b"BCC", b"X-SES-Y", b"!", b"~=?"])
VALUES = st.lists(st.sampled_from([b"a", b"From:", b"\r\n ", b"\r\n\t", b"\r\n \t", b"\xff", b" "]), max_size=8).map(b"".join)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=8)


def test_the_header_ends_behind_its_blank_line() -> None:
    message = HEAD + b"body\r\n\r\nmore\r\n"
    assert [end_of_header(message[:length]) for length in range(len(HEAD))] == [None] * len(HEAD)
    assert {end_of_header(message[:length]) for length in range(len(HEAD), len(message))} == {len(HEAD)}


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"", None),
        (b"\r", None),
        (b"\r\n", 2),
        (b"\r\nFrom: joe@example.com\r\n\r\n", 2),
        (b"hello", None),
        (b"hello\r\n", 0),
        (b"hello\r\nFrom: joe@example.com\r\n\r\n", 0),
        (b"a: b\n\nbody\r\n", None),
        (b"a: b\r\n \r\nc: d\r\n", None),
    ],
)
def test_a_message_may_begin_with_its_body(data: bytes, end: int | None) -> None:
    assert end_of_header(data) == end


def test_fields_have_names_and_unfolded_values() -> None:
    assert [(found.name, found.value) for found in fields(HEAD)] == [
        (b"from", b"joe@example.com"),
        (b"x-long", b"one\ttwo  three"),
        (b"to", b"a@example.com"),
        (b"bcc", b"b@example.com, c@example.com"),
    ]
    assert fields(HEAD.removesuffix(b"\r\n")) == fields(HEAD)
    assert fields(b"") == fields(b"\r\n") == ()


def test_a_fold_onto_a_blank_looking_line_is_not_hidden() -> None:
    (found,) = fields(b"From: joe@example.com,\r\n \t\r\n boss@example.com\r\n")
    assert found.value == b"joe@example.com,\r\n \t boss@example.com"


@settings(max_examples=500, deadline=None)
@given(FIELDS, st.booleans())
def test_every_octet_of_a_header_is_in_one_field(pairs: list[tuple[bytes, bytes]], blank: bool) -> None:
    written = [name + b":" + value + b"\r\n" for name, value in pairs]
    head = b"".join(written) + (b"\r\n" if blank else b"")
    found = fields(head)
    assert [one.raw for one in found] == written
    assert without(found, ()) == b"".join(written)
    assert [one.name for one in found] == [name.lower() for name, _ in pairs]


@settings(max_examples=500, deadline=None)
@given(FIELDS)
def test_fields_go_whole_and_the_others_stay_as_they_are(pairs: list[tuple[bytes, bytes]]) -> None:
    written = [name + b":" + value + b"\r\n" for name, value in pairs]
    gone = {name.lower() for name, _ in pairs[::2]}
    kept = [raw for raw, (name, _) in zip(written, pairs, strict=True) if name.lower() not in gone]
    assert without(fields(b"".join(written) + b"\r\n"), gone) == b"".join(kept)


def test_bcc_leaves_with_its_folds() -> None:
    left = prepended(without(fields(HEAD), {b"bcc"}))
    assert left == HEAD.replace(b"BCC: b@example.com,\r\n c@example.com\r\n", b"")


@pytest.mark.parametrize(
    "line",
    [
        b"From", b"From joe@example.com Thu Jan  1 00:00:00 1970", b"Fr om: joe@example.com", b"From : joe@example.com", b"From\t: joe@example.com",
        b"Bcc : joe@example.com", b": joe@example.com", b"Fr\r\n om: joe@example.com", b"From\r\n : joe@example.com", b"Fr\0om: joe@example.com",
        b"\xef\xbb\xbfFrom: joe@example.com", b"Fr\xf6m: joe@example.com", b"Subject: x\rFrom: joe@example.com", b"Subject: x\nFrom: joe@example.com",
        b"Subject: x\n\rFrom: joe@example.com", b"Subject: x\0", b"Subject: x\vFrom: joe@example.com", b"Subject: x\fFrom: joe@example.com",
        b"Subject: x\x1cFrom: joe@example.com", b"Subject: x\x7f", b"\r", b"Subject: x\r\r",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["first", "between", "last"])
def test_a_header_that_programs_read_differently_is_refused(line: bytes, place: str) -> None:
    first, last = (b"" if place == end else b"Subject: x\r\n" for end in ("first", "last"))
    for head in (first + line + b"\r\n" + last + b"\r\n", first + line + b"\r\n" + last):
        with pytest.raises(Malformed) as caught:
            fields(head)
        assert caught.value.smtp == "554 5.6.0"


def test_a_header_that_begins_with_a_fold_is_refused() -> None:
    with pytest.raises(Malformed):
        fields(b" From: joe@example.com\r\nSubject: x\r\n\r\n")


def test_japanese_mail_is_no_control_character() -> None:
    assert fields(b"Subject: \x1b$B$3$s\x1b(B\r\n")[0].value == b"\x1b$B$3$s\x1b(B"


@pytest.mark.parametrize("second", [b"From: boss@example.com\r\n", b"fROM: joe@example.com\r\n", b"From:\r\n"])
def test_of_a_name_that_comes_twice_neither_is_taken(second: bytes) -> None:
    found = fields(b"From: joe@example.com\r\nSubject: x\r\n" + second)
    assert one(found, b"sender") is None
    assert one(found[:1], b"from") == found[0]
    with pytest.raises(Malformed) as caught:
        one(found, b"from")
    assert caught.value.smtp == "554 5.6.0"


@pytest.mark.parametrize(
    ("head", "whole"),
    [
        (b"", b"A: b\r\n\r\n"),
        (b"\r\n", b"A: b\r\n\r\n"),
        (b"C: d\r\n", b"A: b\r\nC: d\r\n\r\n"),
        (b"C: d\r\n\r\n", b"A: b\r\nC: d\r\n\r\n"),
    ],
)
def test_what_is_put_in_front_ends_in_a_blank_line_even_where_there_was_none(head: bytes, whole: bytes) -> None:
    assert prepended(head, field(b"A", b"b")) == whole


def test_a_message_without_a_header_gets_one_and_keeps_its_body() -> None:
    message = b"hello\r\nFrom: boss@example.com\r\n"
    head = message[: end_of_header(message)]
    whole = prepended(head, field(b"From", b"joe@example.com")) + message[len(head) :]
    parsed = email.message_from_bytes(whole, policy=email.policy.default)
    assert parsed.get_all("from") == ["joe@example.com"]
    assert parsed.get_payload() == "hello\r\nFrom: boss@example.com\r\n"


@pytest.mark.parametrize("value", [b"a\r\nBcc: b", b"a\nb", b"a\rb", b"a\0"])
def test_a_value_is_one_line(value: bytes) -> None:
    with pytest.raises(ValueError, match="one line"):
        field(b"X", value)


@pytest.mark.parametrize("unix_time", [0, 951782400.9, 1700000000, 4102444799])
def test_a_date_reads_back(unix_time: float) -> None:
    written = date(unix_time).decode()
    assert parsedate_to_datetime(written).timestamp() == int(unix_time)
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000", written)


def test_the_first_second_is_a_thursday() -> None:
    assert date(0) == b"Thu, 01 Jan 1970 00:00:00 +0000"


def test_a_message_id_is_in_angle_brackets() -> None:
    assert message_id("1.2", "mail.example.com") == b"<1.2@mail.example.com>"


HOP = Hop("192.0.2.1", "client.example.com", "ESMTPSA", "TLSv1.3 TLS_AES_256_GCM_SHA384")


def test_received_says_where_a_message_came_from() -> None:
    assert received(HOP, by="mail.example.com", id="abc", now=0) == (
        b"Received: from client.example.com ([192.0.2.1])\r\n"
        b"\tby mail.example.com with ESMTPSA id abc\r\n"
        b"\t(TLSv1.3 TLS_AES_256_GCM_SHA384);\r\n"
        b"\tThu, 01 Jan 1970 00:00:00 +0000\r\n"
    )


def test_received_does_not_say_it_where_that_is_hidden() -> None:
    written = received(HOP, by="mail.example.com", id="abc", now=0, hide_client=True)
    assert b"192.0.2.1" not in written
    assert b"client" not in written
    assert fields(written)[0].value.startswith(b"by mail.example.com with ESMTPSA id abc")


@pytest.mark.parametrize(("peer", "shown"), [("2001:db8::1", b"([IPv6:2001:db8::1])"), ("unix", b"(unix)")])
def test_received_names_every_kind_of_peer(peer: str, shown: bytes) -> None:
    assert shown in received(Hop(peer, "x", "ESMTPSA"), by="h", id="i", now=0)


@pytest.mark.parametrize("helo", ["a\r\nFrom: boss@example.com", "a) by boss (", "ä\0", "", "x" * 5000, "a;b"])
def test_what_a_client_calls_itself_cannot_add_to_the_header(helo: str) -> None:
    written = received(Hop("192.0.2.1", helo, "ESMTPA"), by="h", id="i", now=0)
    assert [found.name for found in fields(written)] == [b"received"]
    assert len(written) < 500
    assert re.fullmatch(
        rb"from [A-Za-z0-9.:_\[\]?-]+ \(\[192\.0\.2\.1\]\)\tby h with ESMTPA id i;\t.*", fields(written)[0].value
    )
