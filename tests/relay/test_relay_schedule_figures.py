"""What monitoring hears of the spool: how many messages wait, and since when the oldest does."""

from __future__ import annotations

import gc
import time

from sesmail.assembly.ids import new_id
from sesmail.counters import snapshot
from sesmail.relay.record import arrival
from sesmail.relay.schedule import Schedule


def figure(name: str) -> float:
    values: list[tuple[list[str], float]] = snapshot()[name]["values"]
    return values[0][1]


def test_messages_that_wait_are_counted_until_they_leave() -> None:
    gc.collect()
    before = figure("sesmail_spool_messages")
    schedule = Schedule()
    for id in ("abcdef", "ghijkl"):
        schedule.put(id, 1.0)
    assert figure("sesmail_spool_messages") == before + 2
    schedule.drop("abcdef")
    assert figure("sesmail_spool_messages") == before + 1


def test_the_oldest_message_is_the_one_whose_id_is_the_first() -> None:
    schedule = Schedule()
    now = time.time()
    old = f"{int((now - 3600) * 1000):011x}0123456789"
    schedule.put(new_id(), now)
    schedule.put(old, now + 86_400)
    assert 3599 < schedule.age(now) < 3601
    assert figure("sesmail_spool_oldest_seconds") >= 3600
    schedule.drop(old)
    assert schedule.age(now + 5) < 10


def test_an_empty_spool_has_no_age_and_an_id_of_another_making_tells_none() -> None:
    schedule = Schedule()
    assert schedule.age(1e9) == 0.0
    schedule.put("abcdef", 1.0)
    assert schedule.age(1e9) == 0.0


def test_an_id_tells_when_its_message_came() -> None:
    came = arrival(new_id())
    assert came is not None
    assert abs(came - time.time()) < 5
    assert arrival("abcdef") is None
