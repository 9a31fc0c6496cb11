"""Addresses: what is one, how it is kept, and what is refused with which words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sesmail.errors import Malformed
from sesmail.mail.address import ADDRESS_OCTETS, NOT_ASCII, Address, any_path, path, same

PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=31)


@pytest.mark.parametrize(
    ("text", "local", "written"),
    [
        ("joe@example.com", "joe", "joe@example.com"),
        ("Joe.Doe+tag@EXAMPLE.com", "Joe.Doe+tag", "Joe.Doe+tag@example.com"),
        ('"joe"@example.com', "joe", "joe@example.com"),
        (r'"\j\o\e"@example.com', "joe", "joe@example.com"),
        ('"joe doe"@example.com', "joe doe", '"joe doe"@example.com'),
        (r'"a\"b\\c"@example.com', 'a"b\\c', r'"a\"b\\c"@example.com'),
        ('"a@b"@example.com', "a@b", '"a@b"@example.com'),
        ('".joe."@example.com', ".joe.", '".joe."@example.com'),
        ("!#$%&'*+/=?^_`{|}~-@example.com", "!#$%&'*+/=?^_`{|}~-", "!#$%&'*+/=?^_`{|}~-@example.com"),
        ("joe@localhost", "joe", "joe@localhost"),
        ("joe@a_b.example.com", "joe", "joe@a_b.example.com"),
        ("joe@123.example.com", "joe", "joe@123.example.com"),
        ("joe@xn--strae-oqa.example", "joe", "joe@xn--strae-oqa.example"),
    ],
)
def test_an_address_is_kept_without_quotes_and_written_with_those_it_needs(text: str, local: str, written: str) -> None:
    address = Address.parse(text)
    assert (address.local, str(address)) == (local, written)
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    ("domain", "a_labels"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.Example", "xn--bcher-kva.example"),
        # IDNA 2003 makes another domain of this: strasse.example.
        ("straße.example", "xn--strae-oqa.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("b\u0075\u0308cher\u3002example", "xn--bcher-kva.example"),
    ],
)
def test_a_domain_in_u_labels_is_kept_in_a_labels(domain: str, a_labels: str) -> None:
    assert Address.parse(f"joe@{domain}").domain == a_labels
    assert path(f"<joe@{domain}> SIZE=1".encode()) == (f"joe@{a_labels}", b"SIZE=1")


@pytest.mark.parametrize(
    "text",
    [
        "", "@", "joe", "joe@", "@example.com", "joe@@example.com", "a@b@example.com", "joe doe@example.com", ".joe@example.com",
        "joe.@example.com", "a..b@example.com", '""@example.com', '"joe@example.com', 'joe"@example.com', '"a"b@example.com',
        '"a".b@example.com', '"a\\"@example.com', "a\\b@example.com", "joe(x)@example.com", "<joe@example.com>", "joe@example.com ",
        " joe@example.com", "joe\t@example.com", "joe\r\n@example.com", '"a\r\nb"@example.com', '"a\0b"@example.com', '"a\x7fb"@example.com',
        "joe@example..com", "joe@.example.com", "joe@example.com.", "joe@-example.com", "joe@example-.com", "joe@exam ple.com",
        "joe@example.com\n", "joe@192.0.2.1", "joe@1", "joe@[192.0.2.1]", "joe@[IPv6:2001:db8::1]", "joe@ex\0ample.com",
        "joe@" + "a" * 64 + ".com", "a" * 65 + "@example.com", '"' + "a" * 65 + '"@example.com', "joe@" + "a." * 130 + "com",
        "joe@" + "a" * 100_000, "a" * 100_000 + "@b.c", "joe@\u200d.com", "joe@xn--.com\u00e9", "joe@" + "\u00e9" * 250,
    ],
    ids=lambda text: repr(text[:40]),
)  # fmt: skip
def test_what_is_no_address_is_refused_in_words_of_our_own(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        Address.parse(text)
    assert caught.value.public.isascii()
    assert len(caught.value.public) < 100
    assert caught.value.smtp is None


@pytest.mark.parametrize("text", ["jörg@example.com", '"jörg"@example.com', "\uff20@example.com", "jo\u0085e@example.com"])
def test_a_local_part_that_is_not_ascii_is_refused_for_what_it_is(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        Address.parse(text)
    assert caught.value.smtp == NOT_ASCII
    with pytest.raises(Malformed) as caught:
        path(b"<" + text.encode() + b">")
    assert caught.value.smtp == NOT_ASCII


def test_octets_in_another_character_set_are_refused_for_what_they_are() -> None:
    with pytest.raises(Malformed) as caught:
        path("<jörg@example.com>".encode("latin-1"))
    assert caught.value.smtp == NOT_ASCII


@settings(max_examples=500, deadline=None)
@given(PRINTABLE)
def test_every_printable_local_part_comes_back(local: str) -> None:
    address = Address(local, "example.com")
    assert Address.parse(str(address)) == address
    assert path(b"<" + str(address).encode() + b"> BODY=8BITMIME") == (str(address), b"BODY=8BITMIME")


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=300) | st.text(st.sampled_from('<>@,:;"\\()[]. \tabé'), max_size=300))
def test_whatever_comes_is_an_address_within_bounds_or_malformed(text: str) -> None:
    for read in (lambda: str(Address.parse(text)), lambda: path(text.encode("utf-8", "surrogatepass"))[0]):
        try:
            written = read()
        except Malformed:
            continue
        assert len(written) <= ADDRESS_OCTETS
        assert written.isascii()
        assert written.isprintable()


def test_the_longest_address_is_taken_and_one_more_octet_is_not() -> None:
    longest = "a" * 64 + "@" + ".".join(["b" * 63, "c" * 63, "d" * 61])
    assert len(longest) == ADDRESS_OCTETS
    assert str(Address.parse(longest)) == longest
    with pytest.raises(Malformed):
        Address.parse(longest + "d")


@pytest.mark.parametrize(
    ("argument", "address", "rest"),
    [
        (b"<>", "", b""),
        (b" <> ", "", b""),
        (b"<joe@example.com>", "joe@example.com", b""),
        (b"  <joe@EXAMPLE.com>   SIZE=100  BODY=7BIT ", "joe@example.com", b"SIZE=100  BODY=7BIT"),
        (b'<"a > b"@example.com> X', '"a > b"@example.com', b"X"),
        (b'<"a@b,c"@example.com>', '"a@b,c"@example.com', b""),
        (b"<@one.example,@two.example:joe@example.com>", "joe@example.com", b""),
        (b'<@one.example:"a:b"@example.com> X', '"a:b"@example.com', b"X"),
    ],
)
def test_a_path_is_read_with_what_follows_it(argument: bytes, address: str, rest: bytes) -> None:
    assert path(argument) == (address, rest)


@pytest.mark.parametrize(
    "argument",
    [
        b"", b" ", b"<", b">", b"joe@example.com", b"<joe@example.com", b"joe@example.com>", b"<<joe@example.com>>", b"< >", b"< joe@example.com>",
        b"<joe@example.com >", b"<joe@example.com>SIZE=1", b"<joe@example.com><x@y>", b"<joe>", b"<@one.example:>", b"<@one.example>",
        b"<@one.example joe@example.com>", b"<:joe@example.com>", b"\t<joe@example.com>", b"<joe@example.com>\tSIZE=1", b'<"joe@example.com>',
        b"<joe@exam\0ple.com>", b"Joe <joe@example.com>", b"<@" + b"a" * 100_000, b'<"' + b"\\a" * 50_000,
    ],
    ids=lambda argument: repr(argument[:40]),
)  # fmt: skip
def test_what_is_no_path_is_refused(argument: bytes) -> None:
    with pytest.raises(Malformed):
        path(argument)


@pytest.mark.parametrize(
    ("argument", "address", "rest"),
    [
        (b"<>", "", b""),
        (b"<joe@EXAMPLE.com> SIZE=1", "joe@example.com", b"SIZE=1"),
        (b"<root> SIZE=1", "", b"SIZE=1"),
        (b"<joe@[192.0.2.1]>", "", b""),
        ("<j\xf6rg@example.com> BODY=8BITMIME".encode(), "", b"BODY=8BITMIME"),
        (b"<j\xf6rg@example.com>", "", b""),
        (b"<" + b"x" * 300 + b"@example.com>", "", b""),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_where_any_sender_is_taken_one_that_is_no_address_is_none(argument: bytes, address: str, rest: bytes) -> None:
    assert any_path(argument) == (address, rest)


@pytest.mark.parametrize(
    "argument", [b"", b"joe@example.com", b"<joe@example.com", b"<joe@example.com><x@y>", b"<joe@example.com>X"]
)
def test_a_sender_stands_in_angle_brackets_everywhere(argument: bytes) -> None:
    with pytest.raises(Malformed):
        any_path(argument)


@pytest.mark.parametrize(
    ("text", "untagged"),
    [
        ("joe+tag@example.com", "joe@example.com"),
        ("joe+a+b@example.com", "joe@example.com"),
        ("joe@example.com", "joe@example.com"),
        ("+tag@example.com", "+tag@example.com"),
        ("joe+@example.com", "joe@example.com"),
    ],
)
def test_a_tag_is_what_follows_the_first_plus(text: str, untagged: str) -> None:
    assert str(Address.parse(text).without_tag) == untagged


def test_addresses_are_the_same_in_any_case() -> None:
    assert same("Joe@example.com", Address.parse("jOE@Example.COM"))
    assert not same("joe@example.com", "joe+tag@example.com")


@pytest.mark.parametrize(("text", "qualified"), [("joe@localhost", False), ("joe@example.com", True)])
def test_a_domain_of_one_label_is_not_qualified(text: str, qualified: bool) -> None:
    assert Address.parse(text).qualified is qualified
