"""kill -9 in the middle of RETR and of QUIT: nothing is lost that was not marked, nobody is locked out, the next start serves."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.stores import Bucket, Folder, Store
from tests.faults.cases import Account, config
from tests.faults.rawpop import Dropped, RawPop
from tests.servers import gateway, seaweed
from tests.servers.gateway import Gateway
from tests.servers.ports import free_port

RETR = 0.15
LEASE = 3


@dataclass
class World:
    """A store, and the gateway over it that is up now.

    `patience`: seconds after which a dead session locks nobody out. `quit`: seconds that a QUIT seems to take, so that as many
    kills come in the middle as come too late.
    """

    store: Store
    gateway: Gateway
    patience: float
    quit: float


class Worlds:
    """Gateways one after the other, each started where the last one was killed."""

    def __init__(self, store: Store, **mailboxes: Any) -> None:
        self._config = config(store.storage(), free_port(), mailboxes=mailboxes)
        self._store = store
        self._patience = LEASE + 12 if mailboxes else 5
        self._quit = 0.02

    @contextmanager
    def next(self) -> Iterator[World]:
        with gateway.running(self._config) as running:
            world = World(self._store, running, self._patience, self._quit)
            yield world
            self._quit = world.quit


@pytest.fixture(params=["bucket", "folder"])
def worlds(request: pytest.FixtureRequest, tmp_path: Path) -> Worlds:
    return Worlds(Bucket(seaweed.running()) if request.param == "bucket" else Folder(tmp_path))


class Kill(threading.Thread):
    """Kills the gateway so many seconds from now."""

    def __init__(self, gateway: Gateway, seconds: float) -> None:
        super().__init__()
        self._gateway, self._seconds = gateway, seconds
        self.start()

    def run(self) -> None:
        time.sleep(self._seconds)
        self._gateway.kill()


@dataclass
class Session:
    """One that is killed: what it had marked, and what it was doing when it heard no more."""

    account: Account
    marked: set[int]
    ended: str = ""

    def check(self, world: World) -> None:
        """In the next gateway: everything is there that must be, and is served at once."""
        everything = set(range(1, len(self.account.mails) + 1))
        left = set(self.account.left())
        assert everything - left <= self.marked
        if self.ended == "QUIT answered":
            assert left == everything - self.marked
        self.account.log_in_soon(world.gateway.ports[0], world.patience).socket.close()
        self.account.check_all_is_served(world.gateway.ports[0], sorted(left))


def kill_one(world: World, chance: random.Random) -> Session:
    """One session, and one kill in the middle of it."""
    session = Session(Account(world.store, small=8), set())
    numbers = range(1, len(session.account.mails) + 1)
    with session.account.log_in(world.gateway.ports[0]) as pop:
        if chance.random() < 0.5:
            kill = Kill(world.gateway, chance.random() * RETR)
            session.ended = _read_everything(pop, session.account)
        else:
            session.marked = set(chance.sample(numbers, chance.randint(1, len(numbers))))
            for number in session.marked:
                assert pop.ask(f"DELE {number}").startswith(b"+OK")
            kill = Kill(world.gateway, chance.random() * world.quit)
            session.ended = _quit(pop)
            world.quit *= 1.25 if session.ended == "in QUIT" else 0.8
        kill.join()
    return session


def _read_everything(pop: RawPop, account: Account) -> str:
    for number in itertools.cycle(range(1, len(account.mails) + 1)):
        try:
            status, heard = pop.fetch(f"RETR {number}")
        except Dropped as dropped:
            heard = dropped.heard
            break
        assert status.startswith(b"+OK"), status
        assert heard == account.wire(number)
    assert account.wire(number).startswith(heard) or b"+OK ".startswith(heard[:4])
    return "in RETR"


def _quit(pop: RawPop) -> str:
    try:
        said = pop.ask("QUIT")
    except Dropped:
        return "in QUIT"
    assert said.startswith(b"+OK"), said
    return "QUIT answered"


def kills(worlds: Worlds, count: int, seed: int) -> Counter[str]:
    """So many, one after the other. Returns in the middle of what they came."""
    chance, sessions = random.Random(seed), list[Session]()
    for number in range(count + 1):
        with worlds.next() as world:
            if sessions:
                sessions[-1].check(world)
            if number < count:
                sessions.append(kill_one(world, chance))
    return Counter(session.ended for session in sessions)


@pytest.mark.limit(300)
def test_some_kills_lose_nothing(worlds: Worlds) -> None:
    assert kills(worlds, 4, seed=1)["in RETR"]


@pytest.mark.proof
@pytest.mark.limit(3600)
def test_many_kills_lose_nothing(worlds: Worlds) -> None:
    ended = kills(worlds, 100, seed=2)
    assert ended["in RETR"] > 5
    assert ended["in QUIT"] > 5


@pytest.mark.proof
@pytest.mark.limit(3600)
def test_kills_of_gateways_with_leases_lose_nothing() -> None:
    worlds = Worlds(Bucket(seaweed.running()), lock="bucket", lock_lease=LEASE)
    assert kills(worlds, 20, seed=3)["in QUIT"]
