"""The topmost Received field."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sesmail.mail.trace import Trace, topmost, word

POSTFIX = (
    b"Return-Path: <jack@example.org>\nDelivered-To: tom@example.com\n"
    b"Received: from mail.example.org (mail.example.org [192.0.2.1] (may be forged))\n"
    b"\tby mx.example.com (Postfix, from userid 0 id ABC) with ESMTPS id 4XyZ12\n"
    b"\tfor <tom@example.com>; Sat, 21 Nov 2026 19:00:00 +0100 (CET)\n"
    b"Received: by other id SECOND; Sat, 21 Nov 2026 17:00:00 +0000\nSubject: x\n\nReceived: by body id BODY; x\n"
)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_first_one_counts_and_comments_do_not(end: bytes) -> None:
    found = topmost(POSTFIX.replace(b"\n", end))
    assert found.queue_id == "4XyZ12"
    assert found.moment == datetime(2026, 11, 21, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    "head",
    [b"", b"\n\nReceived: by a id B; x", b"Subject: x\r\n\r\nReceived: by a id BODY; x\r\n", b"X-Received: by a id B\r\n\r\n"],
)
def test_a_message_without_one_says_nothing(head: bytes) -> None:
    assert topmost(head) == Trace(None)


@pytest.mark.parametrize(
    ("field", "queue_id"),
    [
        (b"by a with SMTP; Sat, 21 Nov 2026 17:00:00 +0000", None),
        (b"by a id 1abc-2def-00; nonsense", "1abc-2def-00"),
        (b"by a id <x@y>", "+3Cx+40y+3E"),
        (b"by a (id HIDDEN (deeper)) with x; 99 Foo 2026", None),
    ],
)
def test_what_a_field_does_not_say_is_not_known(field: bytes, queue_id: str | None) -> None:
    found = topmost(b"RECEIVED :" + field + b"\r\n\r\n")
    assert found.queue_id == queue_id
    assert found.moment is None or found.moment.tzinfo is not None


def test_any_queue_id_becomes_one_word() -> None:
    assert word("4XyZ12") == "4XyZ12"
    assert word("a b=c\u00e4\udcff+") == "a+20b+3Dc+C3+A4+FF+2B"
    assert len(word("\u00e4" * 1000)) <= 300
