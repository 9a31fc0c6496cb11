"""kill -9 of one of two gateways at random points of sessions that hold leases: the other lets their owners in, and nothing is lost."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from tests.clients.stores import Bucket
from tests.faults.cases import PASSWORD, Account, config
from tests.faults.rawpop import Dropped, RawPop
from tests.servers import gateway, seaweed
from tests.servers.gateway import Gateway
from tests.servers.ports import free_port

LEASE = 3
# A lease lapses by the whole seconds of the server's clock; the rest is for a busy machine.
LAPSED = LEASE + 12
# Seconds within which sessions take place, and are killed.
WINDOW = 0.6


class Pair:
    """Two gateways over one bucket. One that was killed comes again, at another port."""

    def __init__(self, bucket: Bucket, stack: ExitStack) -> None:
        self._bucket = bucket
        self._stack = stack
        self._running = [self._start(), self._start()]

    def __getitem__(self, place: int) -> Gateway:
        self._running[place].wait_until_it_listens()
        return self._running[place]

    def replace(self, place: int) -> None:
        """Start another one in the place of one that was killed. Does not wait for it."""
        self._running[place] = self._start()

    def _start(self) -> Gateway:
        mailboxes = {"lock": "bucket", "lock_lease": LEASE}
        return self._stack.enter_context(gateway.started(config(self._bucket.storage(), free_port(), mailboxes=mailboxes)))


@contextmanager
def pair() -> Iterator[tuple[Bucket, Pair]]:
    bucket = Bucket(seaweed.running())
    with ExitStack() as stack:
        yield bucket, Pair(bucket, stack)


@dataclass
class Session:
    """One session at the gateway that is killed, and how far it came."""

    account: Account
    chance: random.Random
    marked: set[int] = field(default_factory=set)
    reached: str = "nothing"

    def run(self, port: int) -> None:
        """Log in, read, mark and leave, each at a random time, until it hears no more."""
        try:
            with RawPop(port) as pop:
                self._talk(pop)
        except (Dropped, ConnectionError):
            return

    def _talk(self, pop: RawPop) -> None:
        self._pause()
        self.reached = "login"
        said = pop.login(self.account.user, PASSWORD)
        assert said.startswith(b"+OK"), said
        self.reached = "session"
        numbers = range(1, len(self.account.mails) + 1)
        for number in numbers:
            self._pause()
            assert pop.fetch(f"RETR {number}")[1] == self.account.wire(number)
        for number in self.chance.sample(numbers, self.chance.randint(1, len(numbers))):
            self.marked.add(number)
            assert pop.ask(f"DELE {number}").startswith(b"+OK")
        self._pause()
        self.reached = "QUIT"
        assert pop.ask("QUIT").startswith(b"+OK")
        self.reached = "its end"

    def _pause(self) -> None:
        time.sleep(self.chance.random() * WINDOW / 4)

    def check(self, other: Gateway) -> None:
        """At the other gateway its owner gets in as soon as the lease has lapsed, and finds all that must be there."""
        everything, left = set(range(1, len(self.account.mails) + 1)), set(self.account.left())
        may_be_gone = self.marked if self.reached in ("QUIT", "its end") else set()
        assert everything - left <= may_be_gone
        assert self.reached != "its end" or left == everything - self.marked
        self.account.log_in_soon(other.ports[0], LAPSED).socket.close()
        self.account.check_all_is_served(other.ports[0], sorted(left))


def kill_one(bucket: Bucket, both: Pair, place: int, chance: random.Random, count: int) -> list[Session]:
    """So many sessions at one gateway, and its end in the middle of them."""
    killed, other = both[place], both[1 - place]
    with ThreadPoolExecutor(count) as threads:
        made = threads.map(lambda _: Account(bucket, small=3, big=200_000), range(count))
        sessions = [Session(account, random.Random(chance.random())) for account in made]
        running = [threads.submit(session.run, killed.ports[0]) for session in sessions]
        time.sleep((0.2 + 0.8 * chance.random()) * WINDOW)
        killed.kill()
        both.replace(place)
        for one in running:
            one.result()
        list(threads.map(lambda session: session.check(other), sessions))
    assert "Traceback" not in other.log(), other.log()[-8000:]
    return sessions


def kills(rounds: int, sessions: int, seed: int) -> Counter[str]:
    """Kill one and the other in turn. Returns where sessions were when that happened."""
    chance, reached = random.Random(seed), Counter[str]()
    with pair() as (bucket, both):
        for number in range(rounds):
            reached.update(session.reached for session in kill_one(bucket, both, number % 2, chance, sessions))
    return reached


def test_some_killed_holders_of_leases_lock_nobody_out_and_lose_nothing() -> None:
    assert kills(1, 16, seed=2)["session"]


@pytest.mark.proof
@pytest.mark.limit(3600)
def test_many_killed_holders_of_leases_lock_nobody_out_and_lose_nothing() -> None:
    reached = kills(50, 12, seed=2)
    assert reached["session"] > 50
    assert reached["QUIT"] > 5
