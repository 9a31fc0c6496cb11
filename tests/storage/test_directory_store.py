"""The directory store: the contract of every store, and what only files can do wrong."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from twisted.trial import unittest

from sesmail.errors import Malformed, NoSuchMessage, Refused, Unavailable
from sesmail.storage.abandoned import Sweep
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.store import Store
from tests.storage.copy_contract import CopyContract
from tests.storage.store_contract import StoreContract, write_all


def _has_attributes(folder: Path) -> bool:
    try:
        os.setxattr(folder, "user.sesmail-probe", b"1")
    except OSError:
        return False
    os.removexattr(folder, "user.sesmail-probe")
    return True


class InDirectory(unittest.TestCase):
    store: Store
    other: Store

    def setUp(self) -> None:
        held = tempfile.TemporaryDirectory(prefix="sesmail-store-")
        self.addCleanup(held.cleanup)
        self.outer = Path(held.name)
        self.root = self.outer / "root"
        self.root.mkdir()
        self.store = DirectoryStore(self.root)
        (self.outer / "other").mkdir()
        self.other = DirectoryStore(self.outer / "other")
        self.keeps_metadata = _has_attributes(self.outer)

    def keys(self, prefix: str = "") -> list[str]:
        return [row.key.decode() for row in self.store.list(prefix)]


class DirectoryContract(InDirectory, StoreContract, CopyContract):
    def given_many(self, keys: Sequence[str]) -> None:
        write_all(self.root, keys)


class DirectoryStoreTest(InDirectory):
    def test_a_key_is_the_path_of_its_file(self) -> None:
        self.store.put("mailboxes/example.com/tom/1", b"hello")
        self.assertEqual((self.root / "mailboxes/example.com/tom/1").read_bytes(), b"hello")

    def test_rows_come_in_order_of_the_octets_of_the_whole_key(self) -> None:
        keys = ["o/a/b", "o/a/c/d", "o/a-b/c", "o/a.b", "o/a0", "o/A", "o/back\\slash", "o/é", "o/😀", "o/ﬀ/x"]
        for key in keys:
            self.store.put(key, b"x")
        self.assertEqual(self.keys("o/"), sorted(keys, key=str.encode))

    def test_keys_that_are_no_path_of_their_own_are_refused(self) -> None:
        before = sorted(self.outer.rglob("*"))
        for key in (
            "../x",
            "a/../b",
            "/etc/passwd",
            "a//b",
            "a/",
            "",
            ".",
            "a/.",
            "n\0ul",
            "x" * 256,
            "é" * 128,
            "\udcff",
            "a/.sesmail-part-x",
        ):
            self.assertRaises(Malformed, self.store.put, key, b"x")
            self.assertRaises(Malformed, self.store.load, key, limit=1)
            self.assertRaises(Malformed, self.store.delete, [key])
        for prefix in ("../", "/", "a//", "a/../", "..//"):
            self.assertRaises(Malformed, lambda prefix=prefix: list(self.store.list(prefix)))
        self.assertEqual(sorted(self.outer.rglob("*")), before)

    def test_a_prefix_of_dots_is_no_way_up(self) -> None:
        (self.outer / "secret").write_text("x")
        self.store.put("..a", b"x")
        self.assertEqual(self.keys(".."), ["..a"])
        self.assertEqual(self.keys("."), ["..a"])

    def test_links_lead_nowhere(self) -> None:
        (self.outer / "secret").write_text("x")
        self.store.put("box/mail", b"x")
        (self.root / "up").symlink_to(self.outer)
        (self.root / "box/secret").symlink_to(self.outer / "secret")
        (self.root / "box/inside").symlink_to(self.root / "box/mail")
        (self.root / "box/loop").symlink_to(self.root)
        self.assertEqual(self.keys(), ["box/mail"])
        self.assertEqual(list(self.store.folders("")), ["box/"])
        for key in ("up/secret", "box/secret", "box/inside", "box/loop/box/mail"):
            self.assertRaises(NoSuchMessage, self.store.load, key, limit=10)
        self.assertEqual(self.store.delete(["up/secret", "box/secret"]), {})
        self.assertRaises(Malformed, self.store.put, "up/new", b"x")
        self.assertEqual((self.outer / "secret").read_text(), "x")
        self.assertFalse((self.outer / "new").exists())

    def test_a_put_over_a_link_replaces_the_link(self) -> None:
        (self.outer / "secret").write_text("x")
        (self.root / "one").symlink_to(self.outer / "secret")
        self.store.put("one", b"mine")
        self.assertEqual((self.outer / "secret").read_text(), "x")
        self.assertEqual((self.root / "one").read_bytes(), b"mine")

    def test_pipes_and_folders_are_no_objects(self) -> None:
        os.mkfifo(self.root / "pipe")
        (self.root / "folder").mkdir()
        self.assertEqual(self.keys(), [])
        for key in ("pipe", "folder"):
            self.assertRaises(NoSuchMessage, self.store.load, key, limit=10)
        self.assertRaises(Malformed, self.store.put, "folder", b"x")
        self.assertEqual(self.store.delete(["folder"]), {})
        self.assertEqual(sorted(os.listdir(self.root)), ["folder", "pipe"])

    def test_what_a_crash_left_half_written_goes_with_a_later_put_once_it_is_a_day_old(self) -> None:
        folder = self.root / "box"
        (folder / ".sesmail-part-folder").mkdir(parents=True)
        days = {"part-old": 1.1, "part-young": 0.9, "part-tomorrow": -1.0, "lock": 30.0, "part-folder": 30.0}
        for name, age in days.items():
            path = folder / f".sesmail-{name}"
            if not path.is_dir():
                path.write_bytes(b"half")
            os.utime(path, (time.time() - age * 86_400,) * 2)
        (self.outer / "old").write_bytes(b"x")
        os.utime(self.outer / "old", (1, 1))
        (folder / ".sesmail-part-link").symlink_to(self.outer / "old")
        self.store.put("box/one", b"x")
        left = [".sesmail-lock", *(f".sesmail-part-{name}" for name in ("folder", "link", "tomorrow", "young")), "one"]
        self.assertEqual(sorted(os.listdir(folder)), left)
        self.assertTrue((self.outer / "old").exists())

    def test_a_folder_is_looked_through_once_a_day(self) -> None:
        sweep, now = Sweep(), time.time()
        inside = os.open(self.root, os.O_RDONLY)
        self.addCleanup(os.close, inside)
        for late, left in ((0.0, 0), (86_399.0, 1), (86_401.0, 0)):
            (self.root / ".sesmail-part-x").write_bytes(b"half")
            os.utime(self.root / ".sesmail-part-x", (1, 1))
            sweep.look([b"box"], inside, now + late)
            self.assertEqual(len(os.listdir(self.root)), left)

    def test_a_folder_stays_when_its_last_message_goes(self) -> None:
        self.store.put("box/one", b"x")
        self.store.delete(["box/one"])
        self.assertTrue((self.root / "box").is_dir())

    def test_a_missing_root_is_trouble_not_an_empty_mailbox(self) -> None:
        store = DirectoryStore(self.root / "not-mounted")
        self.assertRaises(Unavailable, lambda: list(store.list("box/")))
        self.assertRaises(Unavailable, lambda: list(store.folders("")))
        self.assertRaises(Unavailable, store.load, "box/one", limit=1)
        self.assertRaises(Unavailable, store.put, "box/one", b"")
        self.assertRaises(Unavailable, store.delete, ["box/one"])

    def test_half_written_files_are_neither_listed_nor_left_behind(self) -> None:
        (self.root / "box").mkdir()
        (self.root / "box/.sesmail-part-0123").write_bytes(b"half")
        self.store.put("box/one", b"x", absent=True)
        self.assertRaises(Refused, self.store.put, "box/one", b"y", absent=True)
        self.assertEqual(self.keys(), ["box/one"])
        self.assertEqual(sorted(os.listdir(self.root / "box")), [".sesmail-part-0123", "one"])

    def test_names_that_are_not_utf_8_are_hidden_with_one_line(self) -> None:
        for name in (b"caf\xe9", b"na\xefve"):
            (self.root / os.fsdecode(name)).write_bytes(b"x")
        self.store.put("plain", b"x")
        with self.assertLogs("sesmail.storage.directory", "WARNING") as logs:
            self.assertEqual(self.keys(), ["plain"])
            self.assertEqual(self.keys(), ["plain"])
        self.assertEqual(len(logs.records), 1)

    def test_a_touched_file_has_another_etag_and_an_untouched_one_keeps_it(self) -> None:
        first = self.store.put("one", b"x")
        self.assertEqual([row.etag.decode() for row in self.store.list("")], [first])
        os.utime(self.root / "one", ns=(0, 0))
        (row,) = self.store.list("")
        self.assertNotEqual(row.etag.decode(), first)
        self.assertEqual(row.modified, b"1970-01-01T00:00:00.000Z")

    def test_quick_versions_of_one_size_have_different_etags(self) -> None:
        self.assertEqual(len({self.store.put("lock", b"%d" % (number % 10)) for number in range(50)}), 50)

    def test_of_many_conditional_writers_one_wins(self) -> None:
        first = self.store.put("lock", b"0")
        wins: list[str] = []

        def write(number: int) -> None:
            try:
                wins.append(DirectoryStore(self.root).put("lock", b"%d" % number, match=first))
            except Refused:
                return

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(wins), 1)

    def test_what_cannot_be_removed_is_reported_with_a_reason(self) -> None:
        self.store.put("box/one", b"x")
        self.store.put("free/two", b"x")
        if os.geteuid() == 0:
            blocked = DirectoryStore(Path("/proc"))
            self.assertEqual(list(blocked.delete(["version"])), ["version"])
            return
        (self.root / "box").chmod(0o500)
        self.addCleanup((self.root / "box").chmod, 0o700)
        self.assertEqual(list(self.store.delete(["box/one", "free/two"])), ["box/one"])
        self.assertEqual(self.keys(), ["box/one"])

    def test_no_descriptor_is_left_open(self) -> None:
        self.store.put("box/deep/one", b"x")
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            list(self.store.list(""))
            self.store.load("box/deep/one", limit=10)
            self.assertRaises(NoSuchMessage, self.store.load, "box/one/two", limit=1)
            self.store.delete(["box/none"])
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
