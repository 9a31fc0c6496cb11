"""A login name becomes a part of a key only when nothing in it can be a path, a pattern or a control sequence."""

from __future__ import annotations

import unittest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.auth.names import Name, Names, UnknownUser, fold

ANY = Names(None, "example.com")

REFUSED = [
    b"",
    b"@example.com",
    b"tom@",
    b"a/b@example.com",
    b"../tom@example.com",
    b"..@example.com",
    b"a..b@example.com",
    b"tom@example.com/../other",
    b"tom@../other.example",
    b"tom@exa/mple.com",
    b"tom@.example.com",
    b"tom@example..com",
    b"tom@example.com.",
    b"tom\0@example.com",
    b"tom@example.com\0",
    b"tom\r\n@example.com",
    b"tom\x7f@example.com",
    "tom\u0085@example.com".encode(),
    "tom\u202e@example.com".encode(),
    "tom\u2028@example.com".encode(),
    b".sesmail@example.com",
    b"+Folder@example.com",
    b"*@example.com",
    b"t?m@example.com",
    b"t%m@example.com",
    b"t[om]@example.com",
    b"tom@*.example.com",
    b"tom@%d",
    b"tom:x@example.com",
    b"t\\om@example.com",
    b"to m@example.com",
    b"a@b@example.com",
    b"a" * 65 + b"@example.com",
    ("\u00fc" * 33 + "@example.com").encode(),
    b"tom@" + b".".join([b"a" * 60] * 5),
    b"t\xfcm@example.com",
    b"tom@\xff.com",
    "tom@b\u00fccher.example".encode(),
]


@pytest.mark.parametrize("typed", REFUSED)
def test_a_name_that_is_unsafe_as_a_part_of_a_key_is_nobody(typed: bytes) -> None:
    with pytest.raises(UnknownUser):
        ANY.parse(typed)


class NamesTest(unittest.TestCase):
    def test_both_parts_fold_case(self) -> None:
        self.assertEqual(ANY.parse(b"Tom.Jones@EXAMPLE.Com"), Name("tom.jones", "example.com"))

    def test_a_name_without_a_domain_gets_the_default(self) -> None:
        self.assertEqual(str(ANY.parse(b"Tom")), "tom@example.com")

    def test_a_name_without_a_domain_is_nobody_where_there_is_no_default(self) -> None:
        self.assertRaises(UnknownUser, Names(None).parse, b"tom")

    def test_composed_and_decomposed_letters_are_one_name(self) -> None:
        self.assertEqual(ANY.parse("mu\u0308ller".encode()), ANY.parse("M\u00dcLLER".encode()))

    def test_a_plus_inside_is_no_folder(self) -> None:
        self.assertEqual(ANY.parse(b"tom+news").local, "tom+news")

    def test_the_longest_parts_of_the_standard_are_served(self) -> None:
        domain = ".".join(["a" * 63] * 3 + ["b" * 61])
        name = ANY.parse(("x" * 64 + "@" + domain).encode())
        self.assertEqual((len(name.local), len(name.domain)), (64, 253))

    def test_a_domain_that_is_not_listed_is_nobody(self) -> None:
        listed = Names(frozenset({"Example.com"}))
        self.assertEqual(listed.parse(b"tom@example.COM").domain, "example.com")
        self.assertRaises(UnknownUser, listed.parse, b"tom@example.org")

    @given(st.one_of(st.binary(max_size=80), st.text(max_size=80).map(str.encode)))
    def test_no_name_that_is_served_can_leave_its_folder(self, typed: bytes) -> None:
        try:
            name = ANY.parse(typed)
        except UnknownUser:
            return
        for part in name:
            self.assertNotIn("/", part)
            self.assertNotIn("..", part)
            self.assertNotIn(part[0], ".+")
            self.assertTrue(part.isprintable())
            self.assertEqual(part, fold(part))
