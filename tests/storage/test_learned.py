"""Learned sizes: remembered by mailbox and message, within a bound."""

from __future__ import annotations

import unittest

from hypothesis import given
from hypothesis import strategies as st

from sesmail.storage.learned import Learned


class LearnedTest(unittest.TestCase):
    def test_what_was_learned_is_known_in_its_mailbox_alone(self) -> None:
        learned = Learned()
        learned.learn("tom", b"1 etag", 10)
        learned.learn("tom", b"1 etag", 12)
        self.assertEqual(dict(learned.of("tom")), {b"1 etag": 12})
        self.assertEqual(dict(learned.of("ann")), {})
        self.assertEqual(len(learned), 1)

    def test_the_mailbox_opened_longest_ago_forgets_first(self) -> None:
        learned = Learned(4)
        for mailbox in ("tom", "ann"):
            for number in range(2):
                learned.learn(mailbox, b"%d" % number, 9)
        learned.of("tom")
        learned.learn("eve", b"0", 9)
        self.assertEqual([dict(learned.of(name)) for name in ("tom", "ann", "eve")], [{b"0": 9, b"1": 9}, {b"1": 9}, {b"0": 9}])

    @given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 20))), st.integers(1, 10))
    def test_the_bound_holds_and_the_last_one_is_always_known(self, entries: list[tuple[int, int]], limit: int) -> None:
        learned = Learned(limit)
        for mailbox, message in entries:
            learned.learn(mailbox, b"%d" % message, 1)
            self.assertEqual(len(learned), sum(len(learned._mailboxes[name]) for name in learned._mailboxes))
            self.assertLessEqual(len(learned), limit)
            self.assertIn(b"%d" % message, learned.of(mailbox))
