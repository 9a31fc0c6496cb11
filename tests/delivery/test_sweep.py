"""The sweep over incoming prefixes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sesmail.aws.receipt import Notice
from sesmail.delivery.inbox import Inbox
from sesmail.delivery.journey import Sorted
from sesmail.delivery.sweep import Sweep
from sesmail.errors import Busy, Unavailable
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.s3 import S3Store
from tests.servers import seaweed

ID = "o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1"
NOW = 2_000_000_000.0


class Bucket:
    """A directory with objects of any age."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = DirectoryStore(root)

    def put(self, key: str, age: float = 3600) -> str:
        self.store.put(key, b"Subject: x\r\n\r\n")
        os.utime(self.root / key, (NOW - age, NOW - age))
        return key

    def keys(self) -> list[str]:
        return [row.key.decode() for row in self.store.list("")]

    def inbox(self, prefix: str = "new/", fixed: tuple[tuple[str, str], ...] = ()) -> Inbox:
        return Inbox(self.store, "mail", prefix, fixed)


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return Bucket(tmp_path)


class Sorter:
    """Notes what it is given."""

    def __init__(self, errors: dict[str, Exception] | None = None) -> None:
        self.notices: list[Notice] = []
        self._errors = errors or {}
        self._lock = threading.Lock()

    @property
    def keys(self) -> list[str]:
        return sorted(notice.key for notice in self.notices)

    def sort(self, notice: Notice) -> Sorted:
        with self._lock:
            self.notices.append(notice)
        if error := self._errors.get(notice.key):
            raise error
        return Sorted.DONE


def sweep(inbox: Inbox, sort: Callable[[Notice], Sorted], most: int = 10_000, after: float = 900) -> Sweep:
    return Sweep(inbox, sort, after=after, now=lambda: NOW, most=most, workers=2)


def test_only_what_is_old_enough_is_sorted(bucket: Bucket) -> None:
    bucket.put(f"new/{ID}", age=901)
    bucket.put("new/young", age=890)
    sorter = Sorter()
    assert sweep(bucket.inbox(), sorter.sort).run() == {"done": 1}
    assert sorter.notices == [Notice(ID, "mail", f"new/{ID}", NOW - 901)]


def test_what_is_no_mail_is_left_alone(bucket: Bucket) -> None:
    for key in ("new/AMAZON_SES_SETUP_NOTIFICATION", "held/a", "swept/b", ".sesmail/progress/c", "mailboxes/tom/d"):
        bucket.put(key)
    assert sweep(bucket.inbox(), Sorter().sort).run() == {}


def test_a_folder_marker_is_no_mail() -> None:
    server = seaweed.running()
    store = S3Store(server.client(), server.make_bucket("sweep-marker"))
    server.client().put_object(Bucket="sweep-marker", Key="new/", Body=b"")
    store.put(f"new/{ID}", b"x")
    sorter = Sorter()
    Sweep(Inbox(store, "mail", "new/"), sorter.sort, after=0, now=lambda: time.time() + 60).run()
    assert sorter.keys == [f"new/{ID}"]


def test_an_empty_prefix_is_the_top_of_the_bucket_alone(bucket: Bucket) -> None:
    for key in (ID, "tom/mail", "held/a", "AMAZON_SES_SETUP_NOTIFICATION"):
        bucket.put(key)
    sorter = Sorter()
    sweep(bucket.inbox(""), sorter.sort).run()
    assert sorter.keys == [ID]


def test_fixed_prefixes_are_swept_too_and_nothing_twice(bucket: Bucket) -> None:
    for key in ("new/a", "new/tom/b", "ann/c"):
        bucket.put(key)
    sorter = Sorter()
    fixed = (("ann/", "ann@example.com"), ("new/tom/", "tom@example.com"))
    sweep(bucket.inbox("new/", fixed), sorter.sort).run()
    assert sorter.keys == ["ann/c", "new/a", "new/tom/b"]


def test_fixed_prefixes_are_swept_beside_an_empty_one(bucket: Bucket) -> None:
    for key in ("zulu", "ann/c", "tom/d"):
        bucket.put(key)
    sorter = Sorter()
    sweep(bucket.inbox("", (("ann/", "ann@example.com"),)), sorter.sort).run()
    assert sorter.keys == ["ann/c", "zulu"]


def test_what_fails_is_left_and_the_others_are_done(bucket: Bucket) -> None:
    for name in "abcd":
        bucket.put(f"new/{name}")
    sorter = Sorter({"new/a": Unavailable(), "new/b": Busy(), "new/c": KeyError("bug")})
    assert sweep(bucket.inbox(), sorter.sort).run() == {"done": 1, "left": 3}


def test_a_pass_is_bounded_and_the_next_one_goes_on_behind_it(bucket: Bucket) -> None:
    for name in "abcde":
        bucket.put(f"new/{name}")
    sorter = Sorter()
    made = sweep(bucket.inbox(), sorter.sort, most=2)
    seen = []
    for _ in range(4):
        made.run()
        seen.append(sorter.keys)
        sorter.notices.clear()
    assert seen == [["new/a", "new/b"], ["new/c", "new/d"], ["new/e"], ["new/a", "new/b"]]


def test_a_pass_ends_when_everything_fails(bucket: Bucket) -> None:
    for number in range(200):
        bucket.put(f"new/{number:03}")
    sorter = Sorter({f"new/{number:03}": Unavailable() for number in range(200)})
    sweep(bucket.inbox(), sorter.sort).run()
    assert 50 <= len(sorter.notices) < 100


def test_what_always_fails_keeps_nothing_behind_it_from_being_sorted(bucket: Bucket) -> None:
    bad = [bucket.put(f"new/bad{number:02}") for number in range(70)]
    bucket.put("new/good")
    sorter = Sorter(dict.fromkeys(bad, Unavailable()))
    made = sweep(bucket.inbox(), sorter.sort)
    made.run()
    assert "new/good" not in sorter.keys
    made.run()
    assert "new/good" in sorter.keys


def test_a_pass_that_is_stopped_begins_nothing_more(bucket: Bucket) -> None:
    for number in range(50):
        bucket.put(f"new/{number:02}")

    def sort(notice: Notice) -> Sorted:
        made.stop()
        return Sorted.DONE

    made = sweep(bucket.inbox(), sort)
    assert made.run()["done"] <= 2


def test_a_store_that_cannot_be_listed_is_unavailable(tmp_path: Path) -> None:
    inbox = Inbox(DirectoryStore(tmp_path / "missing"), "mail", "new/")
    with pytest.raises(Unavailable):
        sweep(inbox, Sorter().sort).run()
