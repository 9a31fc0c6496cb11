"""A crowd at two workers: nobody is dropped or refused, a reload in the middle included, and nothing grows."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clients.stores import Bucket
from tests.proof.crowd import Came, come_and_go, crowd, make_room, use
from tests.servers import seaweed
from tests.service.crew.crews import Crew, crew
from tests.service.house import PASSWORD
from tests.service.tls import trusting

COMERS = 250
LATE = "latecomer"
_MB = 1024 * 1024


@contextmanager
def served(folder: Path, idle: int) -> Iterator[Crew]:
    """Two workers on an S3 server, with so many people who stay, and those who come and go."""
    names = [f"idle{number}" for number in range(idle)] + [f"comer{number}" for number in range(COMERS)]
    users = [{"name": name, "password": PASSWORD, "prefix": f"{name}/"} for name in names]
    limits = {"connections": idle + 1000, "connections_per_address": idle + 1000}
    storage = Bucket(seaweed.running()).storage()
    with crew(folder, storage=storage, auth={"users": users}, limits=limits) as here:
        yield here


def proven(folder: Path, idle: int, rate: float, seconds: float) -> Came:
    make_room(idle + 1000)
    with served(folder, idle) as here:
        return asyncio.run(_proven(here, idle, rate, seconds))


async def _proven(here: Crew, idle: int, rate: float, seconds: float) -> Came:
    port, context, came = here.gateway.ports[0], trusting(here.house.authority), Came()
    people = [(f"comer{number}", PASSWORD) for number in range(COMERS)]
    stayed = await crowd(port, context, [(f"idle{number}", PASSWORD) for number in range(idle)])
    # What is made once for each thread or connection of a pool is made by then.
    await come_and_go(port, context, people, rate=rate, seconds=seconds / 4, came=came)
    pids = [here.gateway.pid, *here.workers()]
    before = use(pids)
    going = asyncio.create_task(come_and_go(port, context, people, rate=rate, seconds=seconds, came=came))
    await asyncio.sleep(seconds / 2)
    reload(here)
    await going
    check_growth(before, use(pids))
    assert [*pids[1:]] == here.workers()
    assert came.errors == []
    for talk in stayed:
        await talk.say("NOOP")
    await (await crowd(port, context, [(LATE, PASSWORD)]))[0].quit()
    return came


def reload(here: Crew) -> None:
    """With one more user."""
    config: dict[str, Any] = yaml.safe_load(here.gateway.config_file.read_text())
    config["auth"]["users"].append({"name": LATE, "password": PASSWORD, "prefix": f"{LATE}/"})
    here.gateway.configure(config)
    here.gateway.signal(signal.SIGHUP)


def check_growth(before: dict[int, tuple[int, int]], after: dict[int, tuple[int, int]]) -> None:
    for pid, (memory, files) in before.items():
        # A reload makes what it replaces once more, and the old goes when it is no longer used.
        assert after[pid][0] < memory + 12 * _MB, (before, after)
        # Connections to the store come and go within the pool; those of clients that have just left may still be open.
        assert after[pid][1] <= files + 24, (before, after)


def told(came: Came, seconds: Sequence[float] = (0.5, 0.99)) -> str:
    shares = ", ".join(f"{share:.0%} within {came.slowest(share) * 1000:.0f} ms" for share in seconds)
    return f"{came.good} sessions, {shares}"


@pytest.mark.limit(300)
def test_some_who_stay_and_some_who_come_are_all_served_through_a_reload(tmp_path: Path) -> None:
    assert proven(tmp_path, idle=100, rate=20, seconds=8).good == 200


@pytest.mark.proof
@pytest.mark.limit(900)
def test_a_thousand_who_stay_and_fifty_logins_a_second_are_all_served_through_a_reload(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    came = proven(tmp_path, idle=1000, rate=50, seconds=120)
    with capsys.disabled():
        print(f"\n1,000 idle, 50 logins a second for two minutes, which took {came.lasted:.0f} seconds: {told(came)}")
    assert came.good == 7500
    # Who is not served in time keeps the others from coming.
    assert came.lasted < 125
