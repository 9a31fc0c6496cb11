"""kill -9 in the middle of RETR and of QUIT: nothing is lost that was not marked, nobody is locked out, the next start serves."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.clients.stores import Bucket, Folder, Store
from tests.faults.cases import config
from tests.faults.killed import Session, check, kill
from tests.servers import gateway, seaweed
from tests.servers.ports import free_port

# Seconds after which nobody is locked out any more.
PATIENCE = 5


@pytest.fixture(params=["bucket", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Bucket(seaweed.running()) if request.param == "bucket" else Folder(tmp_path)


def kills(store: Store, rounds: int, count: int, seed: int) -> Counter[str]:
    """Gateways one after the other, each started where the last one was killed. Returns in the middle of what sessions came."""
    chance, reached = random.Random(seed), Counter[str]()
    given, killed = config(store.storage(), free_port()), list[Session]()
    with ThreadPoolExecutor(count) as threads:
        for number in range(rounds + 1):
            with gateway.running(given) as running:
                check(killed, running, threads, PATIENCE)
                if number < rounds:
                    killed = kill(store, running, threads, chance, count)
                    reached.update(session.reached for session in killed)
    return reached


def test_some_kills_lose_nothing(store: Store) -> None:
    assert kills(store, 1, 12, seed=1)["RETR"]


@pytest.mark.proof
@pytest.mark.limit(3600)
def test_many_kills_lose_nothing(store: Store) -> None:
    reached = kills(store, 60, 12, seed=2)
    assert reached["RETR"] > 50
    assert reached["QUIT"] > 20
