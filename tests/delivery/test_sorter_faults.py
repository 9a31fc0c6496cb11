"""Every single request of a journey fails once, or its answer is lost: nobody lacks the message, nobody has it twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from sesmail.delivery.inbox import Guess
from sesmail.delivery.journey import Sorted
from sesmail.delivery.sorter import Sorter
from sesmail.errors import NoSuchMessage, Unavailable
from sesmail.storage.store import Store
from tests.delivery.sorting import ANNE, BOB, ID, MAIL, TOM, Office, box, bucket, directory, notice

NEW = "new@example.com"
STAMPED = (
    b"Return-Path: <x@example.org>\r\nReceived: from mail.example.org (mail.example.org [192.0.2.1])\r\n"
    b" by inbound-smtp.eu-west-1.amazonaws.com with SMTP id " + ID.encode() + b"\r\n for tom@example.com;\r\n"
    b" Sat, 21 Nov 2026 09:30:00 +0000 (UTC)\r\nX-SES-RECEIPT: AEFB\r\nFrom: x@example.org\r\n"
    b"To: bob@example.com, stranger@example.net\r\n\r\nhello\r\n"
)

Act: TypeAlias = Callable[[Sorter], object]


@dataclass
class Story:
    """`acts` one after the other, each until it is done; `has` of the people get the message. `kept`: who it is held for at the end."""

    acts: Sequence[Act]
    has: Sequence[str]
    data: bytes = MAIL
    kept: bool = False
    swept: bool = False


def sort(*recipients: str) -> Act:
    return lambda sorter: sorter.sort(notice(*recipients))


def retry(sorter: Sorter) -> object:
    try:
        return sorter.retry(ID)
    except NoSuchMessage:
        return Sorted.GONE


STORIES = {
    "one mailbox": Story([sort(TOM)], [TOM]),
    "many": Story([sort(TOM, ANNE, "list@example.com", "drop@example.com")], [TOM, ANNE, BOB, "anne@lmtp"]),
    "some are held": Story([sort(TOM, ANNE, NEW)], [TOM, ANNE], kept=True),
    "all are held": Story([sort("nobody@example.com")], [], kept=True),
    "guessed": Story([sort()], [TOM, BOB], STAMPED, swept=True),
    "guessed and completed": Story([sort(), sort(TOM, ANNE, BOB)], [TOM, ANNE, BOB], STAMPED),
    "guessed, held and completed": Story([sort(), sort(ANNE)], [ANNE]),
    "guessed and then held": Story([sort(), sort(ANNE, NEW)], [TOM, BOB, ANNE], STAMPED, kept=True),
    "held and let go": Story([sort(TOM, "later@example.com"), retry], [TOM, ANNE, "bob@lmtp"]),
    "dropped": Story([sort("drop@example.com")], []),
    "repeated": Story([sort(TOM, ANNE), sort(TOM, ANNE), sort()], [TOM, ANNE]),
}


class Killed(BaseException):
    """The process has ended: nothing else is done."""


class World:
    """An office, a reader who takes his mail away at once if he is one of those, and a count of all that anybody ever got."""

    def __init__(self, store: Store, story: Story, *, reads: bool) -> None:
        self.office = Office(store, guess=Guess.HEADER)
        self.office.routes = {
            "list@example.com": ["mailbox:bob@example.com", "mailbox:tom@example.com", "lmtp:anne"],
            "drop@example.com": ["drop:"],
        }
        self.story = story
        self.reads = reads
        self.got: Counter[str] = Counter()
        self.office.arrive(data=story.data)
        self.sorter = self.office.sorter()

    def run(self) -> None:
        for number, act in enumerate(self.story.acts):
            if number and act is retry:
                self.office.routes["later@example.com"] = ["mailbox:anne@example.com", "mailbox:tom@example.com", "lmtp:bob"]
                self.sorter = self._again()
            self._until_done(act)
        self._look()

    def _again(self) -> Sorter:
        # Routes are read when a sorter is made.
        return self.office.sorter()

    def _until_done(self, act: Act) -> None:
        for _ in range(4):
            try:
                act(self.sorter)
            except Unavailable:
                self.nothing_is_lost()
            except Killed:
                self.nothing_is_lost()
                self.office.store.error = None
                self.sorter = self._again()
            else:
                return
            self._look()
        raise AssertionError("it never succeeds")

    def _look(self) -> None:
        """The reader takes what is there."""
        if self.reads:
            for key in self.office.listed("mail/"):
                self.got[key] += 1
                self.office.remove(key)

    def everything(self) -> dict[str, int]:
        """How often each destination got it."""
        there = Counter(self.office.listed("mail/")) + self.got
        names = {box(address): address for address in (TOM, ANNE, BOB, NEW)}
        counts = {names[key]: count for key, count in there.items()}
        return counts | Counter(f"{user}@lmtp" for user, _ in self.office.notes.got)

    def nothing_is_lost(self) -> None:
        originals = [key for prefix in ("new/", "swept/", "held/") for key in self.office.listed(prefix)]
        assert originals or set(self.story.has) <= set(self.everything())


def calls(make: Callable[[], Store], story: Story) -> list[tuple[str, str]]:
    """What a journey without trouble asks the store for."""
    world = World(make(), story, reads=False)
    world.run()
    return list(world.office.store.calls)


def check(make: Callable[[], Store], story: Story, *, reads: bool, late: bool) -> int:
    planned = calls(make, story)
    for number, (what, key) in enumerate(planned):
        world = World(make(), story, reads=reads)
        world.office.store.set(number, late=late)
        world.run()
        place = f"call {number}, {what} {key}"
        counts = world.everything()
        # He fetched and deleted it before the store's answer was lost: nothing shows that it was ever there.
        unknowable = key if late and reads and what == "copy" else ""
        for address in story.has:
            most = 2 if box(address) == unknowable else 1
            assert 1 <= counts.get(address, 0) <= most, f"{address}: {counts} after {place}"
        assert set(counts) == set(story.has), place
        ended(world, place)
        if not (story.kept or story.swept or retry in story.acts or (what, key) == ("delete", f".sesmail/progress/{ID}")):
            # What cannot be removed itself expires.
            assert world.office.listed(".sesmail/") == [], place
    return len(planned)


def ended(world: World, place: str) -> None:
    office, story = world.office, world.story
    assert office.listed("new/") == [], place
    assert office.listed("held/") == ([f"held/{ID}"] if story.kept else []), place
    assert office.listed("swept/") == ([f"swept/{ID}"] if story.swept else []), place
    if story.kept:
        assert office.read(f"held/{ID}") == story.data, place


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Store]:
    numbers = iter(range(10_000))
    return lambda: directory(tmp_path / str(next(numbers)))


@pytest.mark.parametrize("reads", [False, True], ids=["stays", "is read at once"])
@pytest.mark.parametrize("late", [False, True], ids=["fails", "answer is lost"])
@pytest.mark.parametrize("name", STORIES)
def test_whatever_request_fails(fresh: Callable[[], Store], name: str, late: bool, reads: bool) -> None:
    assert check(fresh, STORIES[name], reads=reads, late=late) >= 3


@pytest.mark.parametrize("late", [False, True], ids=["before a request", "after a request"])
@pytest.mark.parametrize("name", STORIES)
def test_whenever_the_process_is_killed(fresh: Callable[[], Store], name: str, late: bool) -> None:
    story = STORIES[name]
    planned = calls(fresh, story)
    for number, (what, key) in enumerate(planned):
        world = World(fresh(), story, reads=False)
        world.office.store.set(number, late=late, error=Killed())
        world.run()
        place = f"killed at call {number}, {what} {key}"
        counts = world.everything()
        assert set(counts) == set(story.has), place
        assert all(count == 1 for address, count in counts.items() if "@lmtp" not in address), place
        assert all(count <= 2 for count in counts.values()), place
        ended(world, place)


@pytest.mark.limit(300)
@pytest.mark.parametrize("name", ["many", "guessed and then held"])
def test_whatever_request_to_s3_fails(name: str) -> None:
    store = bucket()

    def emptied() -> Store:
        store.delete([row.key.decode() for row in store.list("")])
        return store

    check(emptied, STORIES[name], reads=True, late=False)
