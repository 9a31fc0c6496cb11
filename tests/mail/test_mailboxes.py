"""Whom a From field names: all the forms of honest mail, and all the ways to show one program an address that another does not see."""

from __future__ import annotations

import base64
import email
import email.policy
import re
import time
from email.utils import getaddresses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sesmail.errors import Malformed
from sesmail.mail.address import NOT_ASCII
from sesmail.mail.headers import fields
from sesmail.mail.mailboxes import VALUE_OCTETS, mailboxes


def encoded(text: str, charset: str = "utf-8") -> str:
    return f"=?{charset}?B?{base64.b64encode(text.encode(charset)).decode()}?="


@pytest.mark.parametrize(
    "value",
    [
        "me@example.com", "<me@example.com>", "Me <me@example.com>", "John Q. Public <me@example.com>", '"Doe, John" <me@example.com>',
        'John "Jack" Doe <me@example.com>', "me@example.com (John Doe)", "(John) me@example.com (Doe (the (old) one))", "< me@example.com >",
        "Me<me@example.com>", "ME@EXAMPLE.com", '"me"@example.com', '"me@example.com" <me@example.com>', "\"'me@example.com'\" <me@example.com>",
        '"me at work @ home" <me@example.com>', "=?utf-8?Q?M=C3=BCller=2C_J=C3=B6rg?= <me@example.com>", "=?ISO-8859-1?q?J=F6rg?= M. <me@example.com>",
        '"=?utf-8?Q?J=C3=B6rg?=" <me@example.com>', "=?utf-8*de?Q?J=C3=B6rg?= <me@example.com>", "=?utf-8?B?SsO2cmc?= <me@example.com>",
        encoded("小林", "iso-2022-jp") + " <me@example.com>", encoded('Jörg "der" <Müller> (x)') + " <me@example.com>",
        "=?utf-8?B?SsM=?= =?utf-8?B?tnJn?= <me@example.com>", "Jörg <me@example.com>", r'"a \"b\" c" <me@example.com>', "o'Brien <me@example.com>",
        "Büro (@) Berlin <me@example.com>", encoded("Büro @ Berlin") + " <me@example.com>", "me@example.com,", ",me@example.com",
        "Me:me@example.com;", "\tMe  <me@example.com>  ",
    ],
)  # fmt: skip
def test_one_mailbox_in_every_honest_form(value: str) -> None:
    assert [found.lower() for found in mailboxes(value.encode())] == ["me@example.com"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a@x.example, B <b@y.example>", ("a@x.example", "b@y.example")),
        ("a@x.example,, ,b@y.example", ("a@x.example", "b@y.example")),
        ("We: a@x.example, b@y.example;, c@z.example", ("a@x.example", "b@y.example", "c@z.example")),
        ('"The team": A <a@x.example>;', ("a@x.example",)),
        ("undisclosed-recipients:;", ()),
        ("", ()),
        (" (nobody) ", ()),
        ("me+tag@example.com", ("me+tag@example.com",)),
        ('"a b"@x.example', ('"a b"@x.example',)),
    ],
)
def test_every_mailbox_of_a_list_is_found_in_groups_too(value: str, found: tuple[str, ...]) -> None:
    assert mailboxes(value.encode()) == found


@pytest.mark.parametrize(
    "value",
    [
        # An address where others see a name, a comment or a quoted string.
        "boss@example.com <me@example.com>", "<boss@example.com> <me@example.com>", "me@example.com <boss@example.com>", "<me@example.com> boss@example.com",
        "me@example.com boss@example.com", '"<boss@example.com>" <me@example.com>', '"boss@example.com," <me@example.com>',
        '"boss@example.com\\"" <me@example.com>', "(<boss@example.com>) <me@example.com>", "(boss@example.com,) me@example.com",
        "me@example.com (x\\) <boss@example.com>", "me@example.com (<boss@example.com>)", '"x\\" <boss@example.com>, "y" <me@example.com>',
        # Encoded words that some decode before they parse, or decode in quotes, or in an address.
        encoded("boss@example.com") + " <me@example.com>", encoded("boss@example.com,") + " <me@example.com>",
        encoded("<boss@example.com>") + " <me@example.com>", '"' + encoded('" <boss@example.com>, "') + '" <me@example.com>',
        encoded('"') + ' "boss@example.com" ' + encoded('"') + " <me@example.com>", "(" + encoded("x) <boss@example.com>") + ") <me@example.com>",
        encoded("x\r\nFrom: b") + " <me@example.com>", encoded("x\0") + " <me@example.com>", encoded("x\u2028") + " <me@example.com>",
        "=?utf-8?Q?boss=40example.com=2C?= <me@example.com>", "=?utf-8?Q?me?=@example.com", "<=?utf-8?Q?boss=40example.com=3E=2C?=@example.com>",
        "=?utf-7?Q?boss+AEA-example.com?= <me@example.com>", "=?utf-16be?B?AGIAQABj?= <me@example.com>", "=?nonsense?Q?x?= <me@example.com>",
        "=?zip?Q?x?= <me@example.com>", "=?utf-8?X?x?= <me@example.com>", "=?utf-8?Q?x <me@example.com>", "=?utf-8?B?x?= <me@example.com>",
        "=?utf-8?Q?bo?= =?utf-8?Q?ss=40example.com?= <me@example.com>", "=?utf-8?B?Ym9zcw==?= =?utf-8?B?QGV4YW1wbGUuY29t?= <me@example.com>",
        # Routes, white space, comments and quotes within an address.
        "<@example.org:me@example.com>", "<@example.org,@example.net:me@example.com>", "<me@example.com:boss@example.com>", "me @example.com",
        "me@ example.com", "me@example .com", "<me @example.com>", "me(x)@example.com", "me@(x)example.com", "<(boss)me@example.com>", "me . you@example.com",
        '"boss@example.com"@example.org', '"a,b"@example.com', '"a".b@example.com', '<"me>,<boss"@example.com>', '"a\\b"@example.com',
        "boss@example.com@example.org", "<boss@example.com@example.org>",
        # Something missing, something more.
        "<me@example.com", "me@example.com>", "<<me@example.com>>", "<me@example.com>>", "<>", "Me <>", "me", "@example.com", "me@", "Me <me>", '"Me <me@example.com>',
        "Me (x <me@example.com>", "Me ) <me@example.com>", "me@example.com;", "me@example.com; boss@example.com", ":me@example.com;", "a:b:me@example.com;;",
        "We: me@example.com", "We: me@example.com; boss@example.com", "We: me@example.com; <boss@example.com>", "We: a@x.example;;", "a@x.example: b@y.example;",
        "me@[192.0.2.1]", "me@192.0.2.1", "me@example.com.", "me@.example.com", ".me@example.com", "m..e@example.com", "[me]@example.com", "me\\@example.com",
        # Octets that end lines or texts somewhere.
        "me@example.com\0, boss@example.com", "me@example.com\r\n", "me@example.com\r\n \r\n boss@example.com", "me@example.com\nFrom: boss@example.com",
        "me@example.com\x0b", "Me\x1b$B <me@example.com>", "Me\x85 <me@example.com>", "Me\u2028 <me@example.com>", "me@example.com\x7f",
        # Another character set swallows what follows an octet.
        '"J\u00f6\\" <boss@example.com>, " <me@example.com>',
    ],
)  # fmt: skip
def test_whatever_could_show_another_sender_is_refused(value: str) -> None:
    with pytest.raises(Malformed) as caught:
        mailboxes(value.encode())
    assert caught.value.public.isascii()
    assert "example" not in caught.value.public


@pytest.mark.parametrize("value", ["jörg@example.com", "Me <me@exämple.com>", "Me <me@example.com>, \uff42oss@example.com"])
def test_an_address_that_is_not_ascii_is_refused_for_what_it_is(value: str) -> None:
    with pytest.raises(Malformed) as caught:
        mailboxes(value.encode())
    assert caught.value.smtp == NOT_ASCII


@pytest.mark.parametrize("charset", ["latin-1", "shift_jis", "utf-16"])
def test_octets_that_are_not_utf_8_are_refused(charset: str) -> None:
    text = "表 <me@example.com>" if charset == "shift_jis" else "Jörg <me@example.com>"
    with pytest.raises(Malformed):
        mailboxes(text.encode(charset))


@pytest.mark.parametrize(
    "value",
    [b"a" * VALUE_OCTETS + b"@example.com", b"me@example.com, " * 100_000, b"(" * 1_000_000],
)
def test_a_very_long_value_is_refused(value: bytes) -> None:
    with pytest.raises(Malformed):
        mailboxes(value)


HOSTILE = [
    b"(",
    b"()",
    b'"',
    b'\\"',
    b"<",
    b">",
    b"@",
    b"a@b,",
    b"=?",
    b"=?a?q?",
    b"=?utf-8?q?=40?=",
    b",",
    b":",
    b";",
    b"a:",
    b" ",
    b"a.",
    b"(\\",
    b"\xc3\xa9",
    b"a ",
]


@pytest.mark.parametrize("bit", HOSTILE, ids=repr)
def test_no_value_takes_long(bit: bytes) -> None:
    began = time.process_time()
    for value in (bit * (VALUE_OCTETS // len(bit)), b"a@b.c " + bit * (VALUE_OCTETS // len(bit) - 6)):
        try:
            mailboxes(value)
        except Malformed:
            continue
    assert time.process_time() - began < 0.5


def test_a_folded_from_reads_as_one_line() -> None:
    (found,) = fields(b"From: =?utf-8?Q?J=C3=B6rg?=\r\n =?utf-8?Q?_M?=\r\n\t<me@example.com>\r\n")
    assert mailboxes(found.value) == ("me@example.com",)


def test_a_line_of_white_space_within_from_is_refused() -> None:
    for raw in (
        b"From: me@example.com,\r\n \r\n boss@example.com\r\n",
        b"From:\r\n \r\n me@example.com\r\n",
        b"From: me@example.com\r\n \r\n",
    ):
        (found,) = fields(raw)
        with pytest.raises(Malformed):
            mailboxes(found.value)


BITS = st.sampled_from(
    ["me@example.com", "boss@example.com", "<", ">", '"', "\\", "(", ")", ",", ":", ";", " ", ".", "@", "a", encoded("x"), encoded("b@c.d"), "=?", "é"]
)  # fmt: skip


@settings(max_examples=3000, deadline=None)
@given(st.lists(BITS, max_size=10).map("".join))
def test_what_is_found_is_what_other_readers_find(value: str) -> None:
    try:
        ours = [found.lower() for found in mailboxes(value.encode())]
    except Malformed:
        return
    # Three readers that have nothing in common: two of the standard library, and one that only looks for angle brackets.
    addresses = email.message_from_bytes(b"From: " + value.encode() + b"\r\n\r\n", policy=email.policy.default)[
        "from"
    ].addresses
    assert {found.addr_spec.lower() for found in addresses if found.addr_spec} == set(ours)
    assert {address.lower() for _, address in getaddresses([value]) if address} <= {*ours, ""} or "(" in value
    assert set(re.findall(r"<\s*([^<>]+?)\s*>", value.lower())) <= set(ours)


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=200))
def test_any_octets_are_addresses_or_malformed(value: bytes) -> None:
    try:
        found = mailboxes(value)
    except Malformed:
        return
    assert all(address.isascii() and "@" in address for address in found)
