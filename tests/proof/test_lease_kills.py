"""kill -9 of one of two gateways at random points of sessions that hold leases: the other lets their owners in, and nothing is lost."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.clients.stores import Bucket
from tests.faults.cases import config
from tests.faults.killed import check, kill
from tests.servers import gateway, seaweed
from tests.servers.gateway import Gateway
from tests.servers.ports import free_port

LEASE = 3
# A lease lapses by the whole seconds of the server's clock; the rest is for a busy machine.
LAPSED = LEASE + 12


class Pair:
    """Two gateways over one bucket. For one that was killed there is another one when it is asked for."""

    def __init__(self, bucket: Bucket, stack: ExitStack) -> None:
        self._bucket = bucket
        self._stack = stack
        self._running = [self._start(), self._start()]

    def __getitem__(self, place: int) -> Gateway:
        if self._running[place].ended is not None:
            self._running[place] = self._start()
        self._running[place].wait_until_it_listens()
        return self._running[place]

    def _start(self) -> Gateway:
        mailboxes = {"lock": "bucket", "lock_lease": LEASE}
        return self._stack.enter_context(gateway.started(config(self._bucket.storage(), free_port(), mailboxes=mailboxes)))


def kills(rounds: int, count: int, seed: int) -> Counter[str]:
    """Kill one and the other in turn. Returns in the middle of what sessions came, and how many left a lease behind."""
    chance, reached, bucket = random.Random(seed), Counter[str](), Bucket(seaweed.running())
    with ExitStack() as stack, ThreadPoolExecutor(count) as threads:
        both = Pair(bucket, stack)
        for number in range(rounds):
            killed, other = both[number % 2], both[1 - number % 2]
            sessions = kill(bucket, killed, threads, chance, count)
            check(sessions, other, threads, LAPSED)
            reached.update(session.reached for session in sessions)
            reached["leases"] += sum(session.told_in_use for session in sessions)
    return reached


def test_some_killed_holders_of_leases_lock_nobody_out_and_lose_nothing() -> None:
    reached = kills(1, 16, seed=1)
    assert reached["RETR"]
    assert reached["leases"]


@pytest.mark.proof
@pytest.mark.limit(3600)
def test_many_killed_holders_of_leases_lock_nobody_out_and_lose_nothing() -> None:
    reached = kills(50, 16, seed=2)
    assert reached["QUIT"] > 20
    assert reached["leases"] > 200
