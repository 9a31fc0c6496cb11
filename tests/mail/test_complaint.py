"""An author hears of a complaint in words that no complaint can turn into something else."""

from __future__ import annotations

import email
import email.policy

import pytest

from sesmail.mail.complaint import complaint

_HEAD = b"Subject: Offers\r\nX-SES-Message-ID: 0102\r\n\r\n"


def written(kind: str = "abuse") -> bytes:
    return complaint(
        "tom@example.com",
        ["a@else.example", '"b c"@else.example'],
        _HEAD,
        kind=kind,
        hostname="mail.example.com",
        now=1_795_252_087.654,
        sent=1_795_252_000.0,
        message_id="<1@mail.example.com>",
    )


@pytest.mark.parametrize(("kind", "marked"), [("abuse", "unwanted (abuse) by:"), ("", "unwanted by:")])
def test_it_says_who_complained_of_what(kind: str, marked: str) -> None:
    message = email.message_from_bytes(written(kind), policy=email.policy.default)
    assert (message["To"], message["Auto-Submitted"]) == ("tom@example.com", "auto-generated")
    assert message["Date"] == "Sat, 21 Nov 2026 09:08:07 +0000"
    words = message.get_content().replace("\r\n", "\n")
    assert marked in words
    assert "\n    a@else.example\n" in words
    assert '\n    "b c"@else.example\n' in words
    assert "Sat, 21 Nov 2026 09:06:40 +0000" in words
    assert "Subject: Offers\n" in words


def test_it_is_plain_ascii_with_crlf() -> None:
    octets = written()
    assert octets.isascii()
    assert octets.replace(b"\r\n", b"").count(b"\n") == 0


def test_what_would_be_a_field_of_its_own_is_an_error() -> None:
    with pytest.raises(ValueError, match="one line"):
        complaint("x\r\nBcc: y@z.example", [], b"", kind="", hostname="h", now=0, sent=0, message_id="<1@h>")
