"""Deletes of many threads: few requests, and to each thread its own answer."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import FrameType

import pytest

from sesmail.errors import Malformed, Unavailable
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.s3 import S3Store
from sesmail.storage.store import Store
from sesmail.storage.together import Deletions
from tests.servers import seaweed
from tests.servers.ports import wait_until


class Gated(DirectoryStore):
    """A directory whose deletes wait for the gate, and which may answer otherwise."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.gate = threading.Event()
        self.asked: list[Sequence[str]] = []
        self.instead: Callable[[Sequence[str]], dict[str, str]] = super().delete

    def delete(self, keys: Iterable[str]) -> dict[str, str]:
        asked = list(keys)
        self.asked.append(asked)
        assert self.gate.wait(30)
        return self.instead(asked)


@pytest.fixture
def store(tmp_path: Path) -> Gated:
    return Gated(tmp_path)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as pool:
        yield pool


def begun(
    store: Gated, threads: ThreadPoolExecutor, keys: Sequence[str], deletions: Deletions
) -> tuple[Future[None], list[Future[None]]]:
    """A delete under way, and others that wait for it, in this order."""
    for key in ["first", *keys]:
        if ".." not in key:
            store.put(key, b"x")
    leader = threads.submit(deletions.delete, "first")
    wait_until(lambda: store.asked == [["first"]], seconds=20, what=lambda: "nobody leads")
    others = []
    for number, key in enumerate(keys):
        others.append(threads.submit(deletions.delete, key))
        wait_until(partial(waits, deletions, number + 1), seconds=20, what=lambda: "nobody waits")
    return leader, others


def waits(deletions: Deletions, count: int) -> bool:
    return len(deletions._waiting) == count


def left(store: Store) -> list[str]:
    return [row.key.decode() for row in store.list("")]


def test_what_comes_while_a_request_is_under_way_goes_together_in_the_next(store: Gated, threads: ThreadPoolExecutor) -> None:
    keys = [f"key-{number}" for number in range(20)]
    leader, others = begun(store, threads, keys, Deletions(store))
    assert not any(future.done() for future in (leader, *others))
    store.gate.set()
    assert [future.result(20) for future in (leader, *others)] == [None] * 21
    assert store.asked == [["first"], keys]
    assert left(store) == []


def test_an_error_reaches_those_whose_key_remains_and_nobody_else(store: Gated, threads: ThreadPoolExecutor) -> None:
    leader, others = begun(store, threads, ["a", "b", "c"], Deletions(store))
    store.instead = lambda keys: {key: "AccessDenied" for key in keys if key == "b"}
    store.gate.set()
    assert [type(future.exception(20)) for future in (leader, *others)] == [type(None), type(None), Unavailable, type(None)]
    assert "AccessDenied" in str(others[1].exception())


def test_a_request_that_failed_failed_for_all_in_it_and_for_no_other(store: Gated, threads: ThreadPoolExecutor) -> None:
    def fail(keys: Sequence[str]) -> dict[str, str]:
        if "first" in keys:
            raise Unavailable(cause="SlowDown")
        return DirectoryStore.delete(store, keys)

    store.instead = fail
    leader, others = begun(store, threads, ["a", "b"], Deletions(store))
    store.gate.set()
    assert "SlowDown" in str(leader.exception(20))
    assert [future.result(20) for future in others] == [None, None]
    assert left(store) == ["first"]


@pytest.mark.parametrize("error", [SystemExit, MemoryError, KeyError])
def test_a_thread_that_ends_while_it_leads_leaves_nobody_waiting(
    store: Gated, threads: ThreadPoolExecutor, error: type[BaseException]
) -> None:
    def fail(keys: Sequence[str]) -> dict[str, str]:
        if "a" in keys:
            raise error
        return DirectoryStore.delete(store, keys)

    deletions = Deletions(store)
    leader, others = begun(store, threads, ["a", "b", "c"], deletions)
    store.instead = fail
    store.gate.set()
    assert leader.result(20) is None
    assert [type(future.exception(20)) for future in others] == [error, Unavailable, Unavailable]
    deletions.delete("b")
    assert left(store) == ["a", "c"]


def test_a_key_that_the_store_cannot_spell_spoils_no_others(store: Gated, threads: ThreadPoolExecutor) -> None:
    leader, others = begun(store, threads, ["a", "../up", "b"], Deletions(store))
    store.gate.set()
    assert [type(future.exception(20)) for future in (leader, *others)] == [type(None), type(None), Malformed, type(None)]
    assert left(store) == []


class Interrupted(Exception):
    """As KeyboardInterrupt is."""


def interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted


def test_one_that_is_interrupted_while_it_waits_leaves_nobody_waiting(store: Gated, threads: ThreadPoolExecutor) -> None:
    deletions = Deletions(store)
    leader, _ = begun(store, threads, [], deletions)

    def signal_and_wait() -> None:
        wait_until(partial(waits, deletions, 1), seconds=20, what=lambda: "nobody waits")
        later = threads.submit(deletions.delete, "later")
        wait_until(partial(waits, deletions, 2), seconds=20, what=lambda: "nobody waits")
        os.kill(os.getpid(), signal.SIGUSR1)
        wait_until(partial(waits, deletions, 1), seconds=20, what=lambda: "it waits on")
        store.gate.set()
        assert later.result(20) is None

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        other = threads.submit(signal_and_wait)
        with pytest.raises(Interrupted):
            deletions.delete("first in line")
        other.result(30)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert leader.result(20) is None
    assert store.asked == [["first"], ["later"]]


def test_many_threads_empty_a_bucket_in_few_requests() -> None:
    server = seaweed.running()
    client, bucket = server.client(), server.make_bucket("deletions")
    keys = [f"new/{number}" for number in range(400)]
    server.put_all(bucket, [(key, b"x") for key in [*keys, "stays"]])
    asked: list[int] = []
    client.meta.events.register("before-call.s3.DeleteObjects", lambda **_: asked.append(1))
    store = S3Store(client, bucket)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(Deletions(store).delete, keys))
    assert left(store) == ["stays"]
    assert len(asked) < 200
