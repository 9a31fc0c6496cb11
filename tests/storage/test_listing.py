"""A listing: order of arrival whatever the pages, little memory, no long hold of the interpreter."""

from __future__ import annotations

import random
import sys
import time
import unittest
from array import array

from hypothesis import given
from hypothesis import strategies as st

from sesmail.storage.listing import SLICE, Gathering, Listing, merged
from tests.storage.driving import pause, run, steps

Raw = tuple[bytes, bytes, bytes, bytes]


def row(key: str, second: int = 0, *, size: int = 5, etag: str = "e") -> Raw:
    moment = f"2026-11-{1 + second // 86400:02}T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}.000Z"
    return key.encode(), moment.encode(), etag.encode(), b"%d" % size


def listed(*pages: list[Raw], prefix: str = "", nested: bool = False) -> Listing:
    gathering = Gathering((prefix,), nested=nested)
    for page in pages:
        gathering.add(page)
    return run(gathering.finish(pause))


def ses_rows(count: int) -> list[Raw]:
    chance = random.Random(1)
    prefix = "mailboxes/example.com/someone/"
    return [
        row(
            f"{prefix}{chance.getrandbits(160):040x}",
            chance.randrange(20 * 86400),
            size=chance.randrange(1, 10**6),
            etag=f"{chance.getrandbits(128):032x}",
        )
        for _ in range(count)
    ]


keys = st.text("\x01 !+.09AZaz~\x7f\xa0é漢\uffff😀", min_size=1, max_size=6).map(lambda text: "k" + text)


class ListingTest(unittest.TestCase):
    def test_a_message_is_found_again_with_all_that_was_listed(self) -> None:
        listing = listed([row("box/é b", 61, size=1234, etag="ab-2")], prefix="box/")
        self.assertEqual(len(listing), 1)
        self.assertEqual((listing.key(0), listing.name(0), listing.source(0)), ("box/é b", "é b".encode(), 0))
        self.assertEqual((listing.sizes[0], listing.etag(0), listing.modified(0)), (1234, "ab-2", b"2026-11-01T00:01:01.000Z"))

    def test_order_is_arrival_then_key(self) -> None:
        listing = listed([row("b", 2), row("a", 3)], [row("ab", 1), row("c", 1), row("a!", 1), row("aa", 2)])
        self.assertEqual([listing.key(index) for index in range(6)], ["a!", "ab", "c", "aa", "b", "a"])

    @given(st.lists(st.lists(st.tuples(keys, st.integers(0, 3), st.integers(1, 9)), max_size=30), max_size=6))
    def test_order_is_that_of_one_plain_sort_whatever_the_pages(self, pages: list[list[tuple[str, int, int]]]) -> None:
        seen: set[str] = set()
        rows = [[row(key, at, size=size) for key, at, size in page if not (key in seen or seen.add(key))] for page in pages]  # type: ignore[func-returns-value]
        listing = listed(*rows)
        naive = sorted((row for page in rows for row in page), key=lambda row: (row[1], row[0]))
        found = [(listing.key(i).encode(), listing.modified(i), b"e", b"%d" % listing.sizes[i]) for i in range(len(listing))]
        self.assertEqual(found, naive)

    @given(st.lists(st.integers(0, 10**9 - 1), unique=True, max_size=20_000).map(sorted), st.integers(1, 40), st.randoms())
    def test_merging_gives_every_record_once_and_in_order(self, numbers: list[int], count: int, chance: random.Random) -> None:
        runs: list[list[bytes]] = [[] for _ in range(count)]
        for number in numbers:
            runs[chance.randrange(count)].append(b"%09d" % number)
        self.assertEqual([record for piece in merged(runs) for record in piece], [b"%09d" % number for number in numbers])

    def test_merging_many_pages_goes_by_slices(self) -> None:
        records = [b"%06d" % number for number in random.Random(2).sample(range(10**6), 50_000)]
        pieces = list(merged([sorted(records[start : start + 1000]) for start in range(0, 50_000, 1000)]))
        self.assertEqual([record for piece in pieces for record in piece], sorted(records))
        self.assertLess(max(map(len, pieces)), 3 * SLICE)
        # Pages that do not overlap at all are cut as well.
        ordered = sorted(records)
        pieces = list(merged([ordered[start : start + 1000] for start in range(0, 50_000, 1000)]))
        self.assertEqual([record for piece in pieces for record in piece], ordered)
        self.assertLess(max(map(len, pieces)), 3 * SLICE)

    def test_what_is_no_mail_is_left_out(self) -> None:
        rows = [
            row("b/passwd.txt"),
            row("b/id"),
            row("b/void", size=0),
            row("b/x/"),
            row("b/x/id"),
            row("b/AMAZON_SES_SETUP_NOTIFICATION"),
        ]
        self.assertEqual(len(listed(rows, prefix="b/")), 1)
        self.assertEqual(len(listed(rows, prefix="b/", nested=True)), 2)

    def test_what_is_no_mail_is_left_out_behind_a_prefix_that_ends_within_its_name(self) -> None:
        rows = [row("d/passwd.txt"), row("d/pass"), row("d/password"), row("d/pass/x")]
        listing = listed(rows, prefix="d/pass")
        self.assertEqual([listing.key(index) for index in range(len(listing))], ["d/password"])

    def test_messages_before_a_moment(self) -> None:
        listing = listed([row("a", 10), row("b", 20), row("c", 30)])
        self.assertEqual([listing.before(row("", at)[1]) for at in (0, 10, 11, 20, 99)], [0, 0, 1, 1, 3])
        self.assertEqual(listing.before(b""), 0)

    def test_equal_listings_are_equal_and_others_are_not(self) -> None:
        rows = ses_rows(10_000)
        first = listed(rows, nested=True)
        self.assertEqual(len(first), 10_000)
        for other, expected in (
            (listed(rows[5000:], rows[:5000], nested=True), True),
            (listed(rows[1:], nested=True), False),
            (listed([*rows[:-1], (*rows[-1][:2], b"other", rows[-1][3])], nested=True), False),
            (listed(rows, prefix="m", nested=True), False),
        ):
            self.assertIs(run(first.equals(other, pause)), expected)

    def test_a_message_costs_at_most_200_octets(self) -> None:
        listing = listed(ses_rows(20_000), prefix="mailboxes/example.com/someone/")
        self.assertEqual(len(listing), 20_000)
        held = (
            sum(sys.getsizeof(record) for record in listing._records)
            + sys.getsizeof(listing._records)
            + sys.getsizeof(listing.sizes)
        )
        self.assertLess(held / 20_000, 200)

    def test_no_step_over_100_000_messages_holds_the_interpreter_for_long(self) -> None:
        rows = ses_rows(100_000)
        gathering = Gathering(("mailboxes/example.com/someone/",), nested=False)
        for start in range(0, 100_000, 1000):
            gathering.add(rows[start : start + 1000])
        longest = array("d")
        at = time.thread_time()
        for _ in steps(gathering.finish(pause)):
            longest.append(time.thread_time() - at)
            at = time.thread_time()
        self.assertGreater(len(longest), 15)
        # A plain sort takes five times as long in one step; the bound leaves room for a slow machine.
        self.assertLess(sorted(longest)[-2], 0.02)
