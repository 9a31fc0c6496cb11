"""Events that come several times, in any order, to many threads, while people fetch their mail: everybody gets every message once."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sesmail.delivery.journey import Sorted
from sesmail.delivery.sorter import Sorter
from sesmail.errors import Busy, Unavailable
from sesmail.storage.store import Head, Store
from tests.delivery.failing import FailingStore
from tests.delivery.sorting import ANNE, BOB, TOM, Office, box, bucket, directory, notice

_THREADS = 8
_TIMES = 3


class Unlucky(FailingStore):
    """Every twentieth call fails."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._dice = random.Random(7)
        self._lock = threading.Lock()

    def _asked(self, what: str, key: str) -> None:
        with self._lock:
            bad = self._dice.random() < 0.05
        if bad:
            raise Unavailable(cause="it was made to fail")


class Crowd:
    def __init__(self, office: Office, messages: int) -> None:
        self.office = office
        self.ids = [f"{number:032d}" for number in range(messages)]
        self.to = {id: random.Random(id).sample([TOM, ANNE, BOB], 1 + int(id) % 3) for id in self.ids}
        self.read: Counter[tuple[str, str]] = Counter()
        self._over = threading.Event()

    def run(self, sorter: Sorter) -> None:
        for id in self.ids:
            self.office.arrive(id)
        events = self.ids * _TIMES
        random.Random(1).shuffle(events)
        reader = threading.Thread(target=self._fetch)
        reader.start()
        with ThreadPoolExecutor(_THREADS) as threads:
            list(threads.map(lambda id: self._until_done(sorter, id), events))
        self._over.set()
        reader.join()
        self._take()

    def _until_done(self, sorter: Sorter, id: str) -> Sorted:
        for _ in range(1000):
            try:
                return sorter.sort(notice(*self.to[id], id=id))
            except (Busy, Unavailable):
                self._over.wait(0.002)
        raise AssertionError("it never succeeds")

    def _fetch(self) -> None:
        while not self._over.wait(0.005):
            self._take()

    def _take(self) -> None:
        for address in (TOM, ANNE, BOB):
            # What a store tries out beside the mail is none.
            for key in (key for key in self.office.listed(box(address, id="")) if "/.sesmail/" not in key):
                self.read[address, key.rpartition("/")[2]] += 1
                self.office.remove(key)


@pytest.mark.parametrize("store", ["directory", "s3"])
def test_everybody_gets_every_message_once(store: str, tmp_path: Path) -> None:
    office = Office(directory(tmp_path / "store") if store == "directory" else bucket())
    crowd = Crowd(office, 60)
    crowd.run(office.sorter())
    assert crowd.read == Counter({(address, id): 1 for id, people in crowd.to.items() for address in people})
    assert office.listed() == []


def test_everybody_gets_every_message_once_from_an_unlucky_store(tmp_path: Path) -> None:
    office = Office(directory(tmp_path / "store"))
    office.store = Unlucky(office.real)
    object.__setattr__(office.inbox, "store", office.store)
    crowd = Crowd(office, 100)
    crowd.run(office.sorter())
    wanted = {(address, id) for id, people in crowd.to.items() for address in people}
    assert set(crowd.read) == wanted
    # Two failures at one message: what was done could not be written down either.
    assert sum(crowd.read.values()) - len(wanted) <= 5
    assert [key for key in office.listed() if not key.startswith(".sesmail/progress/")] == []


class Meeting(FailingStore):
    """Whoever asks about a message waits there for another one who does."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._both = threading.Barrier(2)

    def head(self, key: str) -> Head:
        self._both.wait(10)
        return super().head(key)


def test_no_message_waits_until_the_store_has_told_of_another(tmp_path: Path) -> None:
    office = Office(directory(tmp_path / "store"))
    office.store = Meeting(office.real)
    object.__setattr__(office.inbox, "store", office.store)
    ids = [f"{number:032d}" for number in range(2)]
    for id in ids:
        office.arrive(id)
    sorter = office.sorter()
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lambda id: sorter.sort(notice(TOM, id=id)), ids)) == [Sorted.DONE] * 2
