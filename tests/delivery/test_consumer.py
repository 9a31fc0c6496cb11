"""The consumer of a queue, against moto's SQS."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from sesmail.aws.queues import Queue, Received
from sesmail.delivery.consumer import Consumer, Take, Tries, again_after
from sesmail.errors import Busy, Limited, Malformed, Unavailable
from tests.servers.ports import wait_until
from tests.servers.sqs import TestQueue, bodies, client, make_queue


class Sorter:
    """What a consumer gives bodies to: it notes them, and fails as it is told."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.again: list[bool] = []
        self.fails: dict[str, list[Exception]] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def take(self, body: str, *, again: bool = False) -> None:
        with self._lock:
            self.taken.append(body)
            self.again.append(again)
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            self.gate.wait(60)
            if fails := self.fails.get(body):
                raise fails.pop(0)
        finally:
            with self._lock:
                self._now -= 1


@contextmanager
def consuming(made: TestQueue, take: Take, **settings: Any) -> Iterator[Consumer]:
    settings = {"wait": 1, "again": lambda count: 1, **settings}
    consumer = Consumer(made.queue(), take, **settings)
    consumer.start()
    try:
        yield consumer
    finally:
        consumer.stop(10)


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    wait_until(true, seconds=seconds, what=lambda: "it is not so")


def test_every_message_is_taken_and_deleted() -> None:
    made, sorter = make_queue(), Sorter()
    made.send(*bodies(45))
    with consuming(made, sorter.take) as consumer:
        until(lambda: made.empty)
    assert set(sorter.taken) == set(bodies(45))
    # Not 45 in all: a queue may give a message to two polls at once.
    assert consumer.counts == Tries(done=len(sorter.taken))


def test_a_message_comes_to_a_queue_that_was_empty() -> None:
    made, sorter = make_queue(), Sorter()
    with consuming(made, sorter.take):
        made.send("late")
        until(lambda: sorter.taken == ["late"])
        until(lambda: made.empty)


def test_no_more_than_so_many_are_worked_at_a_time() -> None:
    made, sorter = make_queue(), Sorter()
    made.send(*bodies(30))
    sorter.gate.clear()
    with consuming(made, sorter.take, workers=3):
        until(lambda: sorter.most == 3)
        time.sleep(0.3)
        sorter.gate.set()
        until(lambda: made.empty)
    assert sorter.most == 3


@pytest.mark.parametrize("error", [Unavailable(), Limited(), Malformed(), KeyError("bug")])
def test_what_fails_comes_again(error: Exception) -> None:
    made, sorter = make_queue(), Sorter()
    sorter.fails["one"] = [error]
    made.send("one")
    with consuming(made, sorter.take):
        until(lambda: made.empty and len(sorter.taken) == 2)
    assert sorter.again == [False, True]


def test_a_duplicate_that_finds_another_thread_at_work_waits_its_turn() -> None:
    dead, sorter = make_queue(), Sorter()
    made = make_queue(dead=dead, tries=1)
    sorter.fails["one"] = [Busy() for _ in range(3)]
    made.send("one")
    with consuming(made, sorter.take) as consumer:
        until(lambda: made.empty)
    assert consumer.counts == Tries(done=1)
    assert dead.empty


def test_a_duplicate_of_work_that_takes_long_comes_again() -> None:
    made, sorter = make_queue(), Sorter()
    sorter.fails["one"] = [Busy() for _ in range(6)]
    made.send("one")
    with consuming(made, sorter.take) as consumer:
        until(lambda: made.empty)
    assert consumer.counts == Tries(done=1, left=1)


def test_what_always_fails_goes_where_the_redrive_policy_says() -> None:
    dead, sorter = make_queue(), Sorter()
    made = make_queue(dead=dead, tries=2)
    sorter.fails["bad"] = [Malformed("no") for _ in range(9)]
    made.send("bad", "good")
    with consuming(made, sorter.take) as consumer:
        until(lambda: dead.counts() == (1, 0))
        until(lambda: made.empty)
    assert consumer.counts == Tries(done=1, left=2, malformed=2)


def test_a_failure_is_logged_once_a_try_with_its_count_and_without_the_body(caplog: pytest.LogCaptureFixture) -> None:
    made, sorter = make_queue(), Sorter()
    sorter.fails["the secret body"] = [Malformed("no event"), Malformed("no event")]
    made.send("the secret body")
    with consuming(made, sorter.take):
        until(lambda: made.empty)
    said = [record.getMessage() for record in caplog.records if "failed" in record.getMessage()]
    assert [text.split(" ", 2)[2] for text in said] == [
        "failed the 1. time, next try in 1 s: no event",
        "failed the 2. time, next try in 1 s: no event",
    ]
    assert "secret" not in caplog.text


def test_an_unexpected_error_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    made, sorter = make_queue(), Sorter()
    sorter.fails["one"] = [KeyError("bug")]
    made.send("one")
    with consuming(made, sorter.take) as consumer:
        until(lambda: made.empty)
    assert consumer.counts == Tries(done=1, left=1, bugs=1)
    assert any(record.exc_info and record.exc_info[0] is KeyError for record in caplog.records)


def test_a_message_rests_longer_the_oftener_it_failed() -> None:
    assert [again_after(count) for count in (0, 1, 2, 3, 6, 7, 1000)] == [15, 15, 30, 60, 480, 900, 900]


def test_work_that_takes_longer_than_the_visibility_is_done_once() -> None:
    made, sorter = make_queue(), Sorter()
    sorter.gate.clear()
    made.send("long")
    with consuming(made, sorter.take, visibility=4):
        time.sleep(7)
        assert made.counts() == (0, 1)
        sorter.gate.set()
        until(lambda: made.empty)
    assert sorter.taken == ["long"]


def test_a_message_that_waits_for_its_worker_stays_ours() -> None:
    made, sorter = make_queue(), Sorter()
    sorter.gate.clear()
    made.send(*bodies(8))
    with consuming(made, sorter.take, workers=4, visibility=4):
        until(lambda: made.counts() == (0, 8))
        time.sleep(7)
        assert made.counts() == (0, 8)
        sorter.gate.set()
        until(lambda: made.empty)
    assert sorted(sorter.taken) == sorted(bodies(8))


def test_work_that_hangs_is_given_up_and_the_message_comes_again(caplog: pytest.LogCaptureFixture) -> None:
    made, sorter, hangs = make_queue(), Sorter(), threading.Event()

    def take(body: str, *, again: bool) -> None:
        sorter.take(body)
        if body == "hangs" and len(sorter.taken) == 1:
            hangs.wait(60)

    made.send("hangs")
    with consuming(made, take, workers=1, visibility=2, longest=1):
        until(lambda: sorter.taken == ["hangs", "hangs"])
        until(lambda: made.empty)
        hangs.set()
    assert "in work for more than 1 s" in caplog.text


def test_workers_that_hang_are_replaced_no_oftener_than_there_are_workers(caplog: pytest.LogCaptureFixture) -> None:
    made, sorter = make_queue(), Sorter()
    sorter.gate.clear()
    made.send(*bodies(4))
    with consuming(made, sorter.take, workers=1, visibility=3, longest=0.2):
        until(lambda: "restart the service" in caplog.text)
        assert sorter.most == 2
        sorter.gate.set()
        until(lambda: made.empty)


def test_when_nothing_works_few_messages_are_tried_and_all_are_when_it_does() -> None:
    made, sorter, down = make_queue(), Sorter(), threading.Event()
    down.set()

    def take(body: str, *, again: bool) -> None:
        sorter.take(body)
        if down.is_set():
            raise Unavailable

    made.send(*bodies(100))
    with consuming(made, take, workers=4) as consumer:
        until(lambda: consumer.counts.left >= 20)
        time.sleep(3)
        assert consumer.counts.left < 40
        down.clear()
        until(lambda: made.empty)
    assert set(sorter.taken) == set(bodies(100))


def test_a_stop_waits_for_what_is_in_work_and_gives_the_rest_back() -> None:
    made, sorter = make_queue(), Sorter()
    sorter.gate.clear()
    made.send(*bodies(6))
    consumer = Consumer(made.queue(), sorter.take, workers=2, wait=1)
    consumer.start()
    until(lambda: made.counts()[1] >= 4 and sorter.most == 2)
    threading.Timer(0.5, sorter.gate.set).start()
    assert consumer.stop(20)
    assert len(sorter.taken) == 2
    until(lambda: made.counts() == (4, 0))


def test_a_stop_does_not_wait_longer_than_it_may(caplog: pytest.LogCaptureFixture) -> None:
    made, sorter = make_queue(), Sorter()
    sorter.gate.clear()
    made.send("hangs")
    consumer = Consumer(made.queue(), sorter.take, workers=2, wait=1)
    consumer.start()
    until(lambda: sorter.most == 1)
    began = time.monotonic()
    assert not consumer.stop(1.5)
    assert time.monotonic() - began < 5
    assert "1 messages of the queue are still in work" in caplog.text
    assert made.counts() == (0, 1)
    sorter.gate.set()


def test_a_stop_does_not_wait_for_a_long_poll() -> None:
    consumer = Consumer(make_queue().queue(), Sorter().take, wait=20)
    consumer.start()
    began = time.monotonic()
    assert consumer.stop(30)
    assert time.monotonic() - began < 5


def test_a_queue_that_is_missing_is_told_once_and_used_when_it_is_there(caplog: pytest.LogCaptureFixture) -> None:
    made, sorter = make_queue(), Sorter()
    sqs = client()
    sqs.delete_queue(QueueUrl=made.url)
    caplog.set_level(logging.INFO)
    with consuming(made, sorter.take):
        until(lambda: "NonExistentQueue" in caplog.text)
        time.sleep(2.5)
        assert caplog.text.count("cannot be received") == 1
        make_queue(name=made.name).send("one")
        until(lambda: sorter.taken == ["one"])
        until(lambda: made.empty)
    assert "it works again, after" in caplog.text


def test_a_pass_ends_when_the_queue_is_empty() -> None:
    made, sorter = make_queue(), Sorter()
    made.send(*bodies(25))
    assert Consumer(made.queue(), sorter.take, wait=1).until_empty() == Tries(done=25)
    assert made.empty


def test_a_pass_tries_no_message_twice_even_if_it_comes_again_at_once() -> None:
    made, sorter = make_queue(), Sorter()
    sorter.fails["bad"] = [Malformed() for _ in range(99)]
    sorter.fails["down"] = [Unavailable() for _ in range(99)]
    made.send("bad", "good", "down")
    counts = Consumer(made.queue(), sorter.take, wait=1, again=lambda count: 0).until_empty()
    assert counts == Tries(done=1, left=2, malformed=1)
    assert sorted(sorter.taken) == ["bad", "down", "good"]
    assert sum(made.counts()) == 2


def test_a_pass_ends_when_nothing_works() -> None:
    made, sorter = make_queue(), Sorter()
    for body in bodies(120):
        sorter.fails[body] = [Unavailable() for _ in range(9)]
    made.send(*bodies(120))
    counts = Consumer(made.queue(), sorter.take, wait=1).until_empty()
    assert 20 <= counts.left < 120
    assert sum(made.counts()) == 120


def test_a_pass_over_a_queue_that_is_missing_raises() -> None:
    made = make_queue()
    client().delete_queue(QueueUrl=made.url)
    with pytest.raises(Unavailable):
        Consumer(made.queue(), Sorter().take, wait=1).until_empty()


def test_a_pass_can_be_stopped() -> None:
    made, sorter = make_queue(), Sorter()
    sorter.gate.clear()
    made.send("hangs")
    consumer = Consumer(made.queue(), sorter.take, wait=1)
    passing = threading.Thread(target=consumer.until_empty, daemon=True)
    passing.start()
    until(lambda: sorter.most == 1)
    assert not consumer.stop(0.5)
    passing.join(10)
    assert not passing.is_alive()
    sorter.gate.set()


def test_messages_are_deleted_together_while_others_are_in_work() -> None:
    made, sizes = make_queue(), list[int]()

    class Counting(Queue):
        def delete(self, messages: Sequence[Received]) -> dict[str, str]:
            sizes.append(len(messages))
            return super().delete(messages)

    def take(body: str, *, again: bool) -> None:
        time.sleep(0.05)

    made.send(*bodies(30))
    consumer = Consumer(Counting(made.place()), take, workers=2, wait=1)
    assert consumer.until_empty() == Tries(done=30)
    assert made.empty
    assert sum(sizes) == 30
    assert len(sizes) <= 12
