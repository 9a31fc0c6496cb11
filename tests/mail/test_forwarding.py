"""The header of mail that is sent on: SES takes it, answers reach the author, nothing else changes, and nothing goes in circles."""

from __future__ import annotations

import pytest

from sesmail.errors import Malformed, Refused
from sesmail.mail.forwarding import MOST_FORWARDS, MOST_HOPS, forwarded
from sesmail.mail.headers import fields

_OLD = b"From: Tom Smith <tom@else.example>\r\nSubject: x\r\n"


def on(head: bytes, sender: str = "bounces@else.example", gateway: str = "mail.example.com") -> bytes:
    return forwarded(head, sender=sender, forward_from="fwd@example.com", gateway=gateway)


def values(head: bytes, name: bytes) -> list[bytes]:
    return [field.value for field in fields(head) if field.name == name]


def test_from_is_ours_and_shows_the_author_who_gets_the_answers() -> None:
    assert on(_OLD + b"\r\n") == (
        b"X-Sesmail-Forwarded: mail.example.com\r\n"
        b'From: "Tom Smith via example.com" <fwd@example.com>\r\n'
        b"Reply-To: Tom Smith <tom@else.example>\r\n"
        b"X-Original-From: Tom Smith <tom@else.example>\r\n"
        b"Subject: x\r\n\r\n"
    )


def test_the_blank_line_may_be_missing() -> None:
    assert on(_OLD) == on(_OLD + b"\r\n")
    assert on(_OLD.removesuffix(b"\r\n")) == on(_OLD)


def test_what_ses_would_refuse_or_be_steered_by_is_gone_and_the_rest_stays_octet_for_octet() -> None:
    stays = (
        b"Received: from a\r\n\tby b;\r\n\tdate\r\nReply-To:  answers@else.example \r\nAuto-Submitted: auto-replied\r\n"
        b"List-Id: <x>\r\nX-Odd:\tT\xc3\xb6m  \r\n"
    )
    goes = (
        b"Return-Path: <x@y.example>\r\nSENDER: x@y.example\r\nDKIM-Signature: v=1;\r\n\tb=x\r\nDkim-Signature: v=1\r\n"
        b"X-SES-CONFIGURATION-SET: theirs\r\nx-ses-message-tags: a=b\r\nX-SES-RECEIPT: xx\r\nBcc: y@z.example\r\n"
    )
    new = on(goes + _OLD + stays + b"\r\n")
    assert new.endswith(b"Subject: x\r\n" + stays + b"\r\n")
    named = {field.name for field in fields(new)}
    assert not named & {b"return-path", b"sender", b"dkim-signature", b"bcc"}
    assert not [name for name in named if name.startswith(b"x-ses-")]
    assert values(new, b"reply-to") == [b"answers@else.example"]


@pytest.mark.parametrize(
    ("old", "sender", "shown", "reply"),
    [
        (b'From: a@b.example, "C" <c@d.example>\r\n', "s@b.example", b"a at b.example", b'a@b.example, "C" <c@d.example>'),
        ("From: T\u00f6m <t@b.example>\r\n".encode(), "s@b.example", b"=?utf-8?B?VMO2bQ==?=", b"t@b.example"),
        (b"From: Tom\r\n <t@b.example>\r\n", "s@b.example", b"Tom", b"Tom <t@b.example>"),
        (b"From: broken <<\r\n", "s@b.example", b"s at b.example", b"s@b.example"),
        (b"From: undisclosed:;\r\n", "s@b.example", b"s at b.example", b"s@b.example"),
        (b"X: y\r\n", "s@b.example", b"s at b.example", b"s@b.example"),
        (b"From: =?utf-8?Q?ann=40bank.example?= <t@b.example>\r\n", "s@b.example", b"s at b.example", b"s@b.example"),
        (b"X: y\r\n", "", b"unknown sender", None),
        (b"From: MAILER-DAEMON@b.example (Mail System)\r\n", "", b"Mail System", b"MAILER-DAEMON@b.example (Mail System)"),
    ],
)
def test_any_author_is_shown_and_answered_as_far_as_is_certain(
    old: bytes, sender: str, shown: bytes, reply: bytes | None
) -> None:
    new = on(old + b"\r\n", sender)
    (author,) = values(new, b"from")
    assert author.lstrip(b'"').startswith(shown)
    assert author.endswith(b'via example.com" <fwd@example.com>')
    assert values(new, b"reply-to") == ([] if reply is None else [reply])


def test_a_second_hop_shows_the_author_once_and_answers_still_reach_him() -> None:
    twice = on(on(_OLD), gateway="other.example.com")
    assert values(twice, b"from") == [b'"Tom Smith via example.com" <fwd@example.com>']
    assert values(twice, b"reply-to") == [b"Tom Smith <tom@else.example>"]
    assert values(twice, b"x-sesmail-forwarded") == [b"other.example.com", b"mail.example.com"]


def test_circles_end() -> None:
    head = _OLD
    for _ in range(MOST_FORWARDS):
        head = on(head)
    with pytest.raises(Refused) as caught:
        on(head)
    assert caught.value.smtp == "554 5.4.6"
    assert on(head, gateway="other.example.com")


def test_a_message_that_was_at_too_many_servers_goes_no_further() -> None:
    assert on(b"Received: x\r\n" * MOST_HOPS + _OLD)
    with pytest.raises(Refused):
        on(b"Received: x\r\n" * (MOST_HOPS + 1) + _OLD)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\r\n",
        b"no field\r\n\r\n",
        b"From: a@b.example\r\nFrom: c@d.example\r\n\r\n",
        b"Subject: a\0b\r\n\r\n",
        b"X: a\nb\r\n",
    ],
)
def test_what_programs_read_differently_is_refused(head: bytes) -> None:
    with pytest.raises(Malformed):
        on(head)
