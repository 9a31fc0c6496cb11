"""What is removed beside incoming mail, and when."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sesmail.delivery.expiry import Expiry
from sesmail.delivery.inbox import Inbox
from sesmail.errors import Unavailable
from sesmail.storage.directory import DirectoryStore

NOW = 2_000_000_000.0
DAY = 86_400.0


class Bucket:
    """A directory with objects of any age."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = DirectoryStore(root)
        self.inbox = Inbox(self.store, "mail", "new/", (("ann/", "ann@example.com"),))

    def put(self, key: str, age: float) -> None:
        self.store.put(key, b"Subject: x\r\n\r\n")
        os.utime(self.root / key, (NOW - age, NOW - age))

    def everything(self) -> list[str]:
        return [row.key.decode() for row in self.store.list("")]


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return Bucket(tmp_path)


def expiry(inbox: Inbox, most: int = 10_000) -> Expiry:
    return Expiry(inbox, keep=15 * DAY, now=lambda: NOW, most=most)


def test_swept_originals_go_with_their_record_when_they_are_old(bucket: Bucket) -> None:
    bucket.put("swept/old", 15 * DAY + 1)
    bucket.put(".sesmail/progress/old", DAY)
    bucket.put("swept/new", 15 * DAY - 1)
    bucket.put(".sesmail/progress/new", DAY)
    assert expiry(bucket.inbox).run() == {"swept": 1, "progress": 0}
    assert bucket.everything() == [".sesmail/progress/new", "swept/new"]


def test_a_record_goes_only_when_its_message_is_long_gone(bucket: Bucket) -> None:
    for name in ("gone", "incoming", "held", "swept", "fixed"):
        bucket.put(f".sesmail/progress/{name}", 20 * DAY)
    bucket.put(".sesmail/progress/young", DAY)
    for key in ("new/incoming", "held/held", "ann/fixed"):
        bucket.put(key, 20 * DAY)
    bucket.put("swept/swept", DAY)
    assert expiry(bucket.inbox).run() == {"swept": 0, "progress": 1}
    assert ".sesmail/progress/gone" not in bucket.everything()
    assert len([key for key in bucket.everything() if key.startswith(".sesmail/progress/")]) == 5


def test_a_record_stays_when_its_message_cannot_be_asked_for(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(key: str) -> None:
        raise Unavailable

    bucket.put(".sesmail/progress/unknown", 20 * DAY)
    monkeypatch.setattr(bucket.store, "head", unavailable)
    assert expiry(bucket.inbox).run()["progress"] == 0


def test_no_more_is_removed_at_a_time_than_allowed(bucket: Bucket) -> None:
    for number in range(5):
        bucket.put(f"swept/{number}", 20 * DAY)
    assert expiry(bucket.inbox, most=3).run()["swept"] == 3
    assert len(bucket.everything()) == 2


def test_held_mail_is_never_removed(bucket: Bucket) -> None:
    bucket.put("held/old", 5000 * DAY)
    expiry(bucket.inbox).run()
    assert bucket.everything() == ["held/old"]
