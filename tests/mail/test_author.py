"""Who wrote a message is shown, in a form that every program reads alike, and that names nobody else's address."""

from __future__ import annotations

from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.mail.author import LONGEST_NAME, name, on_behalf
from sesmail.mail.mailboxes import mailboxes

_US = "forwarder@example.com"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"Tom Smith <tom@else.example>", "Tom Smith"),
        (b'"Smith, Tom" <tom@else.example>', "Smith, Tom"),
        (b"tom@else.example (Tom Smith)", "Tom Smith"),
        (b"tom@else.example", ""),
        (b"<tom@else.example>", ""),
        (b"=?utf-8?B?VMO2bQ==?= =?iso-8859-1?Q?_Sm=EFth?= <tom@else.example>", "T\u00f6m Sm\u00efth"),
        ("T\u00f6m <tom@else.example>".encode(), "T\u00f6m"),
        (b"Tom <tom@else.example>, Ann <ann@else.example>", "Tom"),
        (b"=?utf-8?B?w?= <tom@else.example>", ""),
        (b"=?no-such?Q?x?= <tom@else.example>", ""),
        (b"=?utf-8?Q?a=E2=80=AEb=00c?= <tom@else.example>", "a b c"),
    ],
)
def test_the_name_is_read(value: bytes, shown: str) -> None:
    assert name(value) == shown


@pytest.mark.parametrize(
    ("shown", "value"),
    [
        ("Tom Smith", b'"Tom Smith via example.com" <forwarder@example.com>'),
        ('Tom "T" S\\mith', rb'"Tom \"T\" S\\mith via example.com" <forwarder@example.com>'),
        ("tom@else.example", b'"tom at else.example via example.com" <forwarder@example.com>'),
        ("Tom via example.com", b'"Tom via example.com" <forwarder@example.com>'),
        ("", b'"via example.com" <forwarder@example.com>'),
        ("Tom\r\nBcc: x@y.example", b'"Tom Bcc: x at y.example via example.com" <forwarder@example.com>'),
        ("T\u00f6m", b'=?utf-8?B?VMO2bQ==?= "via example.com" <forwarder@example.com>'),
    ],
)
def test_somebody_else_sends_on_his_behalf(shown: str, value: bytes) -> None:
    assert on_behalf(shown, _US) == value


@given(st.text(max_size=120))
def test_any_name_makes_a_field_that_names_nobody_but_us(shown: str) -> None:
    value = on_behalf(shown, _US)
    assert len(value) < 900
    assert not set(value) & set(b"\r\n")
    assert mailboxes(value) == (_US,)
    read, address = parseaddr(value.decode("ascii"))
    assert address == _US
    assert "@" not in str(make_header(decode_header(read)))


@given(st.text("\u00e4\u20ac\U0001f600 a", min_size=1, max_size=60))
def test_a_name_that_is_not_ascii_is_read_again_as_it_was(shown: str) -> None:
    visible = " ".join(shown.split())
    assert name(on_behalf(visible, _US)).removesuffix("via example.com").rstrip() == visible


def test_a_long_name_is_cut() -> None:
    assert on_behalf("x" * 1000, _US) == b'"' + b"x" * LONGEST_NAME + b' via example.com" <forwarder@example.com>'
    longest = on_behalf("\U0001f600" * 1000, f"{'x' * 64}@{'a' * 60}.{'b' * 60}.{'c' * 60}.example")
    assert len(longest) < 990


@given(st.binary(max_size=60))
def test_no_value_is_too_odd_to_be_read(value: bytes) -> None:
    assert isinstance(name(value + b" <tom@else.example>"), str)
