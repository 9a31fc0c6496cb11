"""The corpus is what the other tests take it for."""

from __future__ import annotations

import pytest

from tests.corpus import edges
from tests.corpus.messages import corpus, messages, stuffed, wire_form


@pytest.mark.parametrize(
    ("stored", "wire"),
    [
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\nb", b"a\r\nb\r\n"),
        (b"a\rb\r\n", b"a\rb\r\n"),
        (b"a\r", b"a\r\r\n"),
        (b"a\r\r\nb", b"a\r\r\nb\r\n"),
        (b"\n\r\n\n", b"\r\n\r\n\r\n"),
        (b".", b".\r\n"),
    ],
)
def test_the_crlf_form(stored: bytes, wire: bytes) -> None:
    assert wire_form(stored) == wire


@pytest.mark.parametrize(
    ("wire", "sent"),
    [
        (b".\r\n", b"..\r\n"),
        (b"a.\r\n.b\r\n..\r\n", b"a.\r\n..b\r\n...\r\n"),
        (b"\r.\r\n", b"\r.\r\n"),
    ],
)
def test_the_stuffed_form(wire: bytes, sent: bytes) -> None:
    assert stuffed(wire) == sent


def test_it_is_large_and_mostly_as_ses_writes_it() -> None:
    mails = corpus()
    assert len(mails) > 2000
    assert sum(mail.is_crlf for mail in mails) > 0.9 * len(mails)
    assert max(len(mail.stored) for mail in mails) > 30_000_000
    assert sum(len(mail.stored) for mail in mails) < 120_000_000
    assert max(mail.longest_line for mail in mails) > 10_000_000


def test_names_and_keys_are_unique_and_nothing_is_empty() -> None:
    mails = corpus()
    assert len({mail.name for mail in mails}) == len({mail.key for mail in mails}) == len(mails)
    assert all(mail.stored for mail in mails)


def test_it_is_the_same_each_time() -> None:
    assert all(one == other for one, other in zip(messages(), messages(), strict=True))


@pytest.mark.parametrize("shift", range(-3, 4))
def test_a_dot_lies_across_every_boundary(shift: int) -> None:
    mail = edges.straddling(b"Subject: x\r\n\r\n", b"\r\n.x", shift, 40)
    for boundary in (16384, 32768, 65536, 262144, 524288):
        assert mail[boundary + shift :].startswith(b"\r\n.x")
