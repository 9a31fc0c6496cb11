"""Unique ids: legal, stable for ever."""

from __future__ import annotations

import unittest

from hypothesis import given
from hypothesis import strategies as st

from sesmail.mail.uidl import hashed, is_plain, uidl


class UidlTest(unittest.TestCase):
    def test_the_name_itself_is_the_id_where_the_rfc_allows_it(self) -> None:
        for name in (b"o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1", b"!", b"~" * 70, b"2026/11/21/id", b"a<b>&c"):
            self.assertEqual(uidl(name), name)

    def test_any_other_name_has_a_hash_that_never_changes(self) -> None:
        self.assertEqual(uidl(b"a b"), b"407024d66cde17bdcf02effc1c376cb80387f3ec")
        self.assertEqual(uidl(b"x" * 71), b"3daaf17f3c5b4230c4cfa873079b0a55818e4db5")
        self.assertEqual(uidl("é".encode()), hashed("é".encode()))

    @given(st.binary(max_size=200))
    def test_an_id_is_legal_whatever_the_name(self, name: bytes) -> None:
        found = uidl(name)
        self.assertTrue(1 <= len(found) <= 70 and all(0x21 <= octet <= 0x7E for octet in found))
        self.assertEqual(found == name, is_plain(name))
