"""What every store promises of single objects, as one suite: looking, opening, streaming, copying, and what lies beside the octets.

A trial TestCase mixes `CopyContract` in and makes `self.store` and `self.other`, another store of the kind, both empty, in `setUp`.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, BinaryIO, cast

from sesmail.errors import MailError, Malformed, NoSuchMessage, Refused, Unavailable
from sesmail.storage.store import Row, Store
from tests.servers.ports import wait_until
from tests.storage.store_contract import ORDERED
from tests.storage.streams import Made, made

SEALED = {
    "x-amz-key-v2": "AQEDAHgL5jRz+/Zm0ZxkP3k3Rw==",
    "x-amz-iv": "S0w/8p+1Pqk=",
    "x-amz-cek-alg": "AES/GCM/NoPadding",
    "x-amz-tag-len": "128",
    "x-amz-wrap-alg": "kms",
    "x-amz-matdesc": '{"aws:ses-message-id":"o3vrnil0e2ic28tr",  "aws:ses-rule-name":"a\'b, c"}',
    "x-amz-unencrypted-content-length": "2048",
}
"""What SES writes beside a sealed message."""

HOSTILE: Sequence[dict[str, str]] = (
    {"a": "one\r\nx-amz-acl: public-read"},
    {"a": "one\r\n two"},
    {"a": "one\ntwo"},
    {"a": "nul\0"},
    {"a": "Grüße"},
    {"a": "😀"},
    {"a": "\udcff"},
    {"a": " blank"},
    {"a": "blank "},
    {"a": "delete\x7f"},
    {"": "no name"},
    {"a b": "x"},
    {"a:": "x"},
    {"a\r\nx-amz-acl": "public-read"},
    {"Upper": "x"},
    {"ä": "x"},
)


class CopyContract:
    """Needs `self.store` and `self.other`, empty at first."""

    store: Store
    other: Store
    keeps_metadata = True
    assertEqual: Any
    assertRaises: Any
    assertLess: Any
    assertIn: Any

    def row(self, key: str, store: Store | None = None) -> Row:
        """What a listing says of one key."""
        (row,) = (row for row in (store or self.store).list(key) if row.key == key.encode())
        return row

    def whole(self, key: str, store: Store | None = None) -> bytes:
        """All octets of an object."""
        with (store or self.store).open(key) as file:
            return file.read()

    def kept(self, key: str, store: Store | None = None) -> dict[str, str]:
        """What lies beside it, as far as this kind of store keeps that."""
        return dict((store or self.store).head(key).metadata)

    def holds(self, metadata: dict[str, str]) -> dict[str, str]:
        return metadata if self.keeps_metadata else {}

    def refused(self, kind: type[MailError], source: str = "new/one", match: str = "0" * 32, **more: Any) -> None:
        """A copy that must fail and leave nothing."""
        with self.assertRaises(kind):
            self.store.copy(source, "box/copy", match=match, metadata={}, **more)
        self.assertEqual(list(self.store.list("box/")), [])

    def test_a_look_tells_what_a_listing_tells(self) -> None:
        etag = self.store.put("box/one", b"12345")
        head, row = self.store.head("box/one"), self.row("box/one")
        self.assertEqual((head.size, head.etag, row.etag.decode()), (5, etag, etag))
        self.assertEqual(dict(head.metadata), {})
        self.assertLess(abs(head.modified - _seconds(row)), 1.0)

    def test_what_is_absent_is_no_such_message(self) -> None:
        self.store.put("box/one", b"1")
        for key in ("box/none", "nobody/one", "box/one/below", "box"):
            self.assertRaises(NoSuchMessage, self.store.head, key)
            self.assertRaises(NoSuchMessage, self.store.open, key)
            self.assertRaises(NoSuchMessage, self.store.copy, key, "copy", match="0" * 32, metadata={})

    def test_odd_keys_are_looked_at_opened_and_copied(self) -> None:
        for number, key in enumerate(ORDERED):
            etag = self.store.put(key, key.encode())
            self.assertEqual(self.store.head(key).size, len(key.encode()))
            self.store.copy(key, f"copies/{number}", match=etag, metadata={})
            self.assertEqual(self.whole(f"copies/{number}"), key.encode())
            self.store.copy(f"copies/{number}", f"back/{key}", match=self.store.head(f"copies/{number}").etag, metadata={})
            self.assertEqual(self.whole(f"back/{key}"), key.encode())
        self.assertEqual(len(list(self.store.list("back/"))), len(ORDERED))

    def test_a_read_gives_what_was_asked_for_until_the_end(self) -> None:
        self.store.put("box/one", made(0, 300_000))
        with self.store.open("box/one") as file:
            pieces = [file.read(size) for size in (1, 99_999, 150_000, 100_000, 10)]
        self.assertEqual([len(piece) for piece in pieces], [1, 99_999, 150_000, 50_000, 0])
        self.assertEqual(b"".join(pieces), made(0, 300_000))

    def test_an_empty_object_is_opened_and_copied(self) -> None:
        etag = self.store.put("new/one", io.BytesIO())
        self.store.copy("new/one", "box/one", match=etag, metadata={})
        self.assertEqual((self.whole("new/one"), self.whole("box/one")), (b"", b""))

    def test_a_file_left_half_read_holds_up_nothing(self) -> None:
        self.store.put("box/one", made(0, 300_000))
        for _ in range(20):
            with self.store.open("box/one") as file:
                file.read(1)
        self.assertEqual(self.whole("box/one"), made(0, 300_000))

    def test_only_the_version_that_was_seen_is_opened(self) -> None:
        first = self.store.put("box/one", b"1")
        second = self.store.put("box/one", b"2")
        self.assertRaises(Refused, self.store.open, "box/one", match=first)
        with self.store.open("box/one", match=second) as file:
            self.assertEqual(file.read(), b"2")

    def test_a_file_is_stored_from_where_it_stands(self) -> None:
        middle = io.BytesIO(b"head and body")
        middle.seek(9)
        reading, writing = os.pipe()
        thread = threading.Thread(target=_write, args=(writing, made(0, 200_000)))
        thread.start()
        with os.fdopen(reading, "rb") as pipe:
            for key, file in (("start", io.BytesIO(b"whole")), ("middle", middle), ("pipe", cast(BinaryIO, pipe))):
                etag = self.store.put(f"box/{key}", file)
                self.assertEqual(self.store.head(f"box/{key}").etag, etag)
                self.assertEqual(file.closed, False)
        thread.join()
        self.assertEqual([self.whole(f"box/{key}") for key in ("start", "middle")], [b"whole", b"body"])
        self.assertEqual(self.whole("box/pipe"), made(0, 200_000))

    def test_a_condition_holds_for_a_file_too(self) -> None:
        etag = self.store.put("lock", io.BytesIO(b"1"), absent=True)
        self.assertRaises(Refused, self.store.put, "lock", io.BytesIO(b"2"), absent=True)
        self.assertRaises(Refused, self.store.put, "lock", io.BytesIO(b"2"), match="0" * 32)
        self.store.put("lock", io.BytesIO(b"3"), match=etag)
        self.assertEqual(self.whole("lock"), b"3")

    def test_forty_megabytes_pass_in_pieces(self) -> None:
        size = 40 << 20
        digest = hashlib.sha256()
        for at in range(0, size, 1 << 20):
            digest.update(made(at, 1 << 20))
        for seekable in (True, False):
            file = Made(size, seekable=seekable)
            self.store.put("box/big", file.file())
            self.assertLess(file.largest, (1 << 20) + 1)
            again = hashlib.sha256()
            with self.store.open("box/big") as stored:
                while piece := stored.read(100_000):
                    again.update(piece)
            self.assertEqual(again.digest(), digest.digest())

    def test_a_file_that_breaks_off_is_not_stored(self) -> None:
        self.store.put("box/old", b"old")
        for key in ("box/new", "box/old"):
            for seekable in (True, False):
                file = Made(3 << 20, seekable=seekable, fails_at=2 << 20)
                self.assertRaises(Unavailable, self.store.put, key, file.file())
        self.assertEqual([row.key for row in self.store.list("")], [b"box/old"])
        self.assertEqual(self.whole("box/old"), b"old")

    def test_metadata_comes_back_octet_by_octet(self) -> None:
        self.store.put("box/one", b"1", metadata=SEALED)
        self.store.put("box/two", io.BytesIO(b"2"), metadata={"a!#$%&'*+.^_`|~-9": "~!()"})
        self.assertEqual(self.kept("box/one"), self.holds(SEALED))
        self.assertEqual(self.kept("box/two"), self.holds({"a!#$%&'*+.^_`|~-9": "~!()"}))

    def test_metadata_that_could_break_a_request_is_refused(self) -> None:
        etag = self.store.put("new/one", b"1", metadata={"a": "b"})
        for metadata in HOSTILE:
            self.assertRaises(Malformed, self.store.put, "box/one", b"1", metadata=metadata)
            self.assertRaises(Malformed, self.store.copy, "new/one", "box/one", match=etag, metadata=metadata)
        self.assertEqual([row.key for row in self.store.list("")], [b"new/one"])

    def test_a_copy_has_the_octets_and_the_metadata_given_and_no_other(self) -> None:
        etag = self.store.put("new/one", made(0, 100_000), metadata=SEALED | {"old": "1"})
        self.store.copy("new/one", "box/one", match=etag, metadata=SEALED | {"sesmail-recipient": "tom@example.com"})
        self.store.copy("new/one", "box/two", match=etag, metadata={})
        self.assertEqual(self.kept("box/one"), self.holds(SEALED | {"sesmail-recipient": "tom@example.com"}))
        self.assertEqual(self.kept("box/two"), {})
        self.assertEqual(self.kept("new/one"), self.holds(SEALED | {"old": "1"}))
        for key in ("new/one", "box/one", "box/two"):
            self.assertEqual(self.whole(key), made(0, 100_000))

    def test_a_copy_replaces_what_is_there_and_is_new(self) -> None:
        etag = self.store.put("new/one", b"new", metadata={"a": "1"})
        self.store.put("box/one", b"old", metadata={"b": "2"})
        wait_until(lambda: _is_older(self.store, "new/one"), seconds=30, what=lambda: "it never grows older")
        self.store.copy("new/one", "box/one", match=etag, metadata={"c": "3"})
        self.assertEqual((self.whole("box/one"), self.kept("box/one")), (b"new", self.holds({"c": "3"})))
        self.assertLess(self.row("new/one").modified, self.row("box/one").modified)

    def test_a_changed_source_is_not_copied(self) -> None:
        first = self.store.put("new/one", b"1")
        self.store.put("new/one", b"2")
        self.refused(Refused, match=first)
        self.refused(Refused, match="0" * 32)

    def test_a_source_that_is_gone_is_not_copied(self) -> None:
        etag = self.store.put("new/one", b"1")
        self.store.delete(["new/one"])
        self.refused(NoSuchMessage, match=etag)

    def test_a_copy_to_where_nothing_may_lie_leaves_what_lies_there(self) -> None:
        etag = self.store.put("new/one", b"new", metadata={"a": "1"})
        there = self.store.put("box/one", b"there", metadata={"b": "2"})
        before = self.store.head("box/one")
        wait_until(lambda: _is_older(self.store, "box/one"), seconds=30, what=lambda: "it never grows older")
        self.assertEqual(self.store.copy("new/one", "box/one", match=etag, metadata={"c": "3"}, absent=True), before)
        self.assertEqual((self.store.head("box/one"), before.etag), (before, there))
        self.assertEqual(self.whole("box/one"), b"there")
        self.assertEqual(self.store.copy("new/one", "box/two", match=etag, metadata={"c": "3"}, absent=True), None)
        self.assertEqual((self.whole("box/two"), self.kept("box/two")), (b"new", self.holds({"c": "3"})))
        self.assertEqual([row.key for row in self.store.list("")], [b"box/one", b"box/two", b"new/one"])

    def test_to_where_nothing_lies_only_the_version_that_was_seen_is_copied(self) -> None:
        self.store.put("new/one", b"1")
        self.refused(Refused, absent=True)
        self.refused(NoSuchMessage, source="new/none", absent=True)
        self.refused(Refused, source="new/one", absent=True, out_of=self.store)

    def test_of_many_copies_at_once_one_is_made(self) -> None:
        etag = self.store.put("new/one", b"1")

        def copy(number: int) -> bool:
            return self.store.copy("new/one", "box/one", match=etag, metadata={"n": str(number)}, absent=True) is None

        for _ in range(5):
            with ThreadPoolExecutor(6) as pool:
                self.assertEqual(sum(pool.map(copy, range(6))), 1)
            self.store.delete(["box/one"])

    def test_a_copy_out_of_another_store(self) -> None:
        etag = self.other.put("new/one", made(0, 100_000), metadata=SEALED)
        self.store.copy("new/one", "box/one", match=etag, metadata=SEALED | {"sesmail-reason": "none"}, out_of=self.other)
        self.assertEqual(self.whole("box/one"), made(0, 100_000))
        self.assertEqual(self.kept("box/one"), self.holds(SEALED | {"sesmail-reason": "none"}))
        self.assertEqual([row.key for row in self.other.list("")], [b"new/one"])

    def test_a_copy_out_of_another_store_to_where_nothing_may_lie(self) -> None:
        etag = self.other.put("new/one", b"other")
        self.assertEqual(self.store.copy("new/one", "one", match=etag, metadata={}, absent=True, out_of=self.other), None)
        found = self.store.copy("new/one", "one", match=etag, metadata={}, absent=True, out_of=self.other)
        self.assertEqual(found, self.store.head("one"))

    def test_another_stores_source_may_be_gone_or_changed_too(self) -> None:
        self.other.put("new/one", b"1")
        self.refused(Refused, out_of=self.other)
        self.refused(NoSuchMessage, source="new/none", out_of=self.other)
        # Of the same name, and here.
        etag = self.store.put("new/two", b"1")
        self.refused(NoSuchMessage, source="new/two", match=etag, out_of=self.other)


def _write(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _seconds(row: Row) -> float:
    return datetime.fromisoformat(row.modified.decode()).timestamp()


def _is_older(store: Store, key: str) -> bool:
    return store.load_aged(key, limit=100).age >= 2
