"""What every store promises, as one suite: a trial TestCase mixes `StoreContract` in and makes `self.store` in `setUp`.

`ReadingContract` is the part that a reader must keep too: whoever tests one overrides the three `read_*` methods and lets
`self.store` write to the same place.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sesmail.errors import MailError, NoSuchMessage, Refused, TooLarge
from sesmail.storage.store import Loaded, Row, Store, Unchanged
from tests.servers.ports import wait_until

ODD = (
    "odd/a b",
    "odd/a+b",
    "odd/a%20b",
    "odd/%",
    "odd/&<>\"'",
    "odd/&amp;",
    "odd/.hidden",
    "odd/..double",
    "odd/+folder",
    "odd/Ünïcödé/ß",
    "odd/漢字",
    "odd/😀",
    "odd/\u00a0x",
    "odd/=?#;,:@$",
    "odd/[a]{b}^`~|",
    "odd/quote'quote",
    "odd/trailing ",
    "odd/A",
    "odd/a",
    "odd/a.b",
    "odd/a/b",
    "odd/a0",
)
ORDERED = tuple(key for key in ODD if key != "odd/a")
"""Without the one key that a directory cannot hold beside ``odd/a/b``."""


class ReadingContract:
    """Needs `self.store`, empty at first."""

    store: Store
    assertEqual: Any
    assertRaises: Any
    assertIn: Any

    async def read_rows(self, prefix: str, *, nested: bool) -> list[Row]:
        """The rows that are listed, in any order."""
        return list(self.store.list(prefix, delimiter="" if nested else "/"))

    async def read_folders(self, prefix: str) -> list[str]:
        """The folders behind the prefix."""
        return list(self.store.folders(prefix))

    async def read_small(self, key: str, *, limit: int, known: str | None = None) -> Loaded | Unchanged:
        """A small object."""
        return self.store.load(key, limit=limit, known=known)

    async def names(self, prefix: str, *, nested: bool = True) -> list[str]:
        """The listed keys, sorted as octets."""
        return [key.decode() for key in sorted(row[0] for row in await self.read_rows(prefix, nested=nested))]

    async def raises(self, kind: type[MailError], call: Awaitable[object]) -> None:
        """Awaits what must fail."""
        with self.assertRaises(kind):
            await call

    def given(self, keys: Sequence[str]) -> None:
        """Store these keys, each holding its own name."""
        with ThreadPoolExecutor(4) as pool:
            for _ in pool.map(lambda key: self.store.put(key, key.encode()), keys):
                pass

    def given_many(self, keys: Sequence[str]) -> None:
        """The same, where so many are needed that it counts how they get there."""
        self.given(keys)

    async def test_an_absent_prefix_has_no_rows_and_no_folders(self) -> None:
        self.assertEqual(await self.read_rows("nobody/", nested=True), [])
        self.assertEqual(await self.read_rows("nobody/", nested=False), [])
        self.assertEqual(await self.read_folders("nobody/"), [])

    async def test_a_row_says_size_etag_and_time_of_arrival(self) -> None:
        etag = self.store.put("box/one", b"four")
        (row,) = await self.read_rows("box/", nested=False)
        self.assertEqual((row[0], row[2], row[3]), (b"box/one", etag.encode(), b"4"))
        self.assertEqual(len(row[1]), 24)
        arrived = datetime.strptime(row[1].decode(), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        self.assertIn(round(time.time() - arrived.timestamp()), range(-2, 60))

    async def test_odd_keys_are_listed_and_loaded_as_they_were_written(self) -> None:
        self.given(ORDERED)
        self.assertEqual(await self.names("odd/"), sorted(ORDERED, key=str.encode))
        for key in ORDERED:
            self.assertEqual(
                await self.read_small(key, limit=1000), Loaded(key.encode(), _etag(await self.read_small(key, limit=1000)))
            )

    async def test_without_nested_keys_in_sub_folders_are_left_out(self) -> None:
        self.given(["box/a", "box/b/c", "box/b/d/e", "box.b/f", "boxer"])
        self.assertEqual(await self.names("box/", nested=False), ["box/a"])
        self.assertEqual(await self.names("box/"), ["box/a", "box/b/c", "box/b/d/e"])
        self.assertEqual(await self.names("box/b/", nested=False), ["box/b/c"])

    async def test_a_prefix_need_not_end_in_a_slash(self) -> None:
        self.given(["mail-1", "mail-2", "mail-3/4", "nail-5", "in/mail-6"])
        self.assertEqual(await self.names("mail-", nested=False), ["mail-1", "mail-2"])
        self.assertEqual(await self.names("mail-"), ["mail-1", "mail-2", "mail-3/4"])
        self.assertEqual(await self.names("in/ma"), ["in/mail-6"])
        self.assertEqual(await self.names("", nested=False), ["mail-1", "mail-2", "nail-5"])

    async def test_an_odd_prefix_is_taken_literally(self) -> None:
        self.given(["a b+c/%d&/one", "a b+c/%d&/two", "a b c/one", "a b+c/x"])
        self.assertEqual(await self.names("a b+c/%d&/"), ["a b+c/%d&/one", "a b+c/%d&/two"])
        self.assertEqual(await self.read_folders("a b+c/"), ["a b+c/%d&/"])

    async def test_folders_are_given_once_with_prefix_and_slash(self) -> None:
        self.given(["d/tom/1", "d/tom/2", "d/Tom/3", "d/tina/4/5", "d/thing", "d/ann/6", "dd/tom/7"])
        self.assertEqual(sorted(await self.read_folders("d/")), ["d/Tom/", "d/ann/", "d/tina/", "d/tom/"])
        self.assertEqual(sorted(await self.read_folders("d/t")), ["d/tina/", "d/tom/"])
        self.assertEqual(sorted(await self.read_folders("d/thing")), [])

    async def test_an_absent_object_is_no_such_message(self) -> None:
        self.given(["box/here"])
        for key in ("box/gone", "nobody/one", "box/here/below", "box"):
            await self.raises(NoSuchMessage, self.read_small(key, limit=10))

    async def test_a_known_etag_is_answered_with_unchanged(self) -> None:
        etag = self.store.put("passwd.txt", b"tom:00")
        self.assertEqual(await self.read_small("passwd.txt", limit=10), Loaded(b"tom:00", etag))
        self.assertEqual(await self.read_small("passwd.txt", limit=10, known=etag), Unchanged())
        newer = self.store.put("passwd.txt", b"tom:01")
        self.assertEqual(await self.read_small("passwd.txt", limit=10, known=etag), Loaded(b"tom:01", newer))

    async def test_an_object_over_the_limit_is_too_large(self) -> None:
        self.store.put("box/big", b"x" * 101)
        await self.raises(TooLarge, self.read_small("box/big", limit=100))
        self.assertEqual(_data(await self.read_small("box/big", limit=101)), b"x" * 101)

    async def test_a_listing_knows_no_limit_of_a_thousand(self) -> None:
        keys = [f"box/{number:05}" for number in range(2200)]
        self.given_many(keys)
        self.assertEqual(await self.names("box/", nested=False), keys)
        self.assertEqual(len(await self.read_rows("box/", nested=True)), 2200)

    async def test_an_empty_object_is_empty(self) -> None:
        self.store.put("box/empty", b"")
        self.assertEqual(_data(await self.read_small("box/empty", limit=0)), b"")


def write_all(root: Path, keys: Sequence[str]) -> None:
    """As `given`, in a directory, and without waiting for the disk."""
    for key in keys:
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(key.encode())


class StoreContract(ReadingContract):
    """What only a store does: order, writing, removing."""

    async def test_rows_of_a_folder_come_in_order_of_their_octets(self) -> None:
        self.given(["o/a.b", "o/a0", "o/A", "o/é", "o/z", "o/ﬀ", "o/😀", "o/a-b", "o/a"])
        listed = [row.key for row in self.store.list("o/")]
        self.assertEqual(listed, sorted(listed))
        self.assertEqual(len(listed), 9)

    async def test_a_put_replaces_the_object(self) -> None:
        first = self.store.put("box/one", b"first")
        second = self.store.put("box/one", b"second")
        self.assertEqual(self.store.load("box/one", limit=10), Loaded(b"second", second))
        self.assertEqual(first == second, False)
        self.assertEqual(await self.names("box/"), ["box/one"])

    async def test_a_put_of_what_must_be_absent_does_not_overwrite(self) -> None:
        self.store.put("lock", b"mine", absent=True)
        self.assertRaises(Refused, self.store.put, "lock", b"yours", absent=True)
        self.assertEqual(_data(self.store.load("lock", limit=10)), b"mine")
        self.assertEqual(await self.names(""), ["lock"])

    async def test_a_put_over_an_etag_needs_that_etag(self) -> None:
        first = self.store.put("lock", b"1")
        second = self.store.put("lock", b"2", match=first)
        self.assertRaises(Refused, self.store.put, "lock", b"3", match=first)
        self.assertRaises(Refused, self.store.put, "nothing", b"3", match=first)
        self.assertEqual(self.store.load("lock", limit=10), Loaded(b"2", second))
        self.assertEqual(await self.names(""), ["lock"])

    async def test_a_condition_holds_for_one_put_only(self) -> None:
        self.store.put("lock", b"1", absent=True)
        self.store.put("lock", b"2")
        self.assertEqual(_data(self.store.load("lock", limit=10)), b"2")

    async def test_an_object_is_as_old_as_its_last_write(self) -> None:
        etag = self.store.put("lock", b"1")
        young = self.store.load_aged("lock", limit=10)
        self.assertEqual((young.data, young.etag), (b"1", etag))
        self.assertIn(int(young.age), range(2))
        wait_until(lambda: self.store.load_aged("lock", limit=10).age >= 2, seconds=30, what=lambda: "it never grows older")
        self.store.put("lock", b"2")
        self.assertIn(int(self.store.load_aged("lock", limit=10).age), range(2))

    async def test_the_age_of_what_is_absent_or_too_large_is_not_to_be_had(self) -> None:
        self.store.put("lock", b"12345")
        self.assertRaises(NoSuchMessage, self.store.load_aged, "none", limit=10)
        self.assertRaises(TooLarge, self.store.load_aged, "lock", limit=4)

    async def test_removing_what_is_absent_is_success(self) -> None:
        self.given(["box/one", "box/two"])
        self.assertEqual(self.store.delete(["box/one", "box/gone", "nobody/x", "box/two/below"]), {})
        self.assertEqual(await self.names(""), ["box/two"])
        self.assertEqual(self.store.delete([]), {})

    async def test_odd_keys_are_removed_and_no_others(self) -> None:
        self.given([*ORDERED, "odd/stays", "odd/a b c"])
        self.assertEqual(self.store.delete(ORDERED), {})
        self.assertEqual(await self.names(""), ["odd/a b c", "odd/stays"])

    async def test_keys_with_control_characters_are_removed_too(self) -> None:
        self.given(["box/a\x01b", "box/a\rb", "box/a\nb", "box/ab"])
        self.assertEqual(self.store.delete(["box/a\x01b", "box/a\rb", "box/a\nb"]), {})
        self.assertEqual(await self.names("box/"), ["box/ab"])

    async def test_removing_knows_no_limit_of_a_thousand(self) -> None:
        keys = [f"box/{number:05}" for number in range(200)]
        self.given(keys)
        # Removing what is absent takes its place in a request, too.
        absent = [f"absent/{number}" for number in range(2000)]
        self.assertEqual(self.store.delete([*keys[1:70], *absent[:1000], *keys[70:130], *absent[1000:], *keys[130:]]), {})
        self.assertEqual(await self.names("box/"), keys[:1])


def _data(answer: Loaded | Unchanged) -> bytes:
    assert isinstance(answer, Loaded)
    return answer.data


def _etag(answer: Loaded | Unchanged) -> str:
    assert isinstance(answer, Loaded)
    return answer.etag
