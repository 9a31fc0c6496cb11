"""How long a client is held, and when messages are attempted again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from sesmail.mail.outcome import Outcome
from sesmail.relay.queue import Ear
from sesmail.service.attempts import LOOK, FirstAttempts, Retries
from sesmail.service.workers import Workers
from tests.service.tls import reactor

SENT = {"ann@example.net": Outcome(250, "2.0.0", "Ok 1", id="1")}
REFUSED = {"ann@example.net": Outcome(554, "5.6.0", "no")}
SECONDS = 10.0


class Attempting:
    """A queue whose attempts last until they are let go."""

    def __init__(self) -> None:
        self.outcomes: Mapping[str, Outcome] = SENT
        self.go_on = threading.Event()
        self.began = threading.Event()
        self.attempted: list[str] = []
        self.waiting: list[tuple[str, float]] = []
        self.looks = 0
        self.at_once = 0
        self.most_at_once = 0
        self.heard: bool | None = None

    def attempt(self, id: str, ear: Ear | None = None) -> Mapping[str, Outcome]:
        self.attempted.append(id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.began.set()
        self.go_on.wait(SECONDS)
        self.at_once -= 1
        if ear is not None:
            self.heard = ear.hears()
        return self.outcomes

    def due(self, limit: int = 50) -> Sequence[str]:
        self.looks += 1
        due = [one for one in self.waiting if one[1] <= time.time()][:limit]
        self.waiting = [one for one in self.waiting if one not in due]
        return [id for id, _ in due]

    def next_due(self) -> float | None:
        return min((due for _, due in self.waiting), default=None)


class AttemptsTestCase(TestCase):
    def setUp(self) -> None:
        self.queue: Any = Attempting()
        self.ended: list[str] = []
        self.workers = Workers(reactor, "sending", 8, 8)
        self.workers.startService()
        self.addCleanup(self.workers.stopService)
        self.addCleanup(self.queue.go_on.set)

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(int(SECONDS / 0.01)):
            if condition():
                return
            await deferLater(reactor, 0.01)
        self.fail("never so")


class FirstAttemptsTest(AttemptsTestCase):
    def hold(self, seconds: float) -> Deferred[Outcome | None]:
        first = FirstAttempts(self.queue, self.workers, reactor, seconds, lambda: self.ended.append("id1"))
        return Deferred.fromCoroutine(first("id1"))

    async def test_the_next_hops_verdict_is_the_answer(self) -> None:
        self.queue.go_on.set()
        outcome = await self.hold(SECONDS)
        assert outcome is not None
        self.assertEqual((outcome.code, outcome.id, self.queue.attempted), (250, "1", ["id1"]))
        self.assertEqual(self.ended, ["id1"])

    async def test_a_refusal_is_heard_by_who_still_waits(self) -> None:
        self.queue.outcomes = REFUSED
        self.queue.go_on.set()
        self.assertEqual(await self.hold(SECONDS), REFUSED["ann@example.net"])
        self.assertTrue(self.queue.heard)

    async def test_who_waited_long_enough_is_let_go_and_the_attempt_goes_on(self) -> None:
        self.queue.outcomes = REFUSED
        self.assertIsNone(await self.hold(0.05))
        self.queue.go_on.set()
        await self.until(lambda: self.queue.heard is not None)
        self.assertFalse(self.queue.heard)

    async def test_who_is_being_answered_is_not_let_go(self) -> None:
        hearing, answering = threading.Event(), threading.Event()

        def attempt(id: str, ear: Ear) -> Mapping[str, Outcome]:
            ear.hears()
            hearing.set()
            answering.wait(SECONDS)
            return REFUSED

        self.queue.attempt = attempt
        held = self.hold(0.05)
        await self.until(hearing.is_set)
        await deferLater(reactor, 0.1)
        self.assertFalse(held.called)
        answering.set()
        self.assertEqual(await held, REFUSED["ann@example.net"])

    async def test_without_a_worker_the_message_waits_for_its_turn(self) -> None:
        self.workers = Workers(reactor, "none", 1, 0)
        self.assertIsNone(await self.hold(SECONDS))
        self.assertEqual(self.queue.attempted, [])

    async def test_a_bug_is_logged_and_the_message_waits_for_its_turn(self) -> None:
        def attempt(id: str, ear: Ear) -> Mapping[str, Outcome]:
            raise ZeroDivisionError

        self.queue.attempt = attempt
        with self.assertLogs("sesmail.service.attempts", "ERROR") as caught:
            self.assertIsNone(await self.hold(SECONDS))
        self.assertIn("ZeroDivisionError", caught.output[0])

    async def test_who_leaves_while_he_is_held_stops_nothing(self) -> None:
        held = self.hold(SECONDS)
        await self.until(self.queue.began.is_set)
        held.cancel()
        await self.assertFailure(held, CancelledError)
        self.queue.go_on.set()
        await self.until(lambda: self.queue.heard is not None)


class RetriesTest(AttemptsTestCase):
    def begin(self, most: int = 4) -> Retries:
        retries = Retries(self.queue, self.workers, self.workers, reactor, time.time, most)
        retries.startService()
        self.addCleanup(retries.stopService)
        return retries

    async def test_what_is_due_at_the_start_is_attempted_at_once(self) -> None:
        self.queue.waiting = [("id1", 0.0), ("id2", 0.0)]
        self.queue.go_on.set()
        self.begin()
        await self.until(lambda: sorted(self.queue.attempted) == ["id1", "id2"])

    async def test_it_wakes_when_the_next_message_is_due_and_not_before(self) -> None:
        self.queue.waiting = [("id1", time.time() + 0.5)]
        self.queue.go_on.set()
        self.begin()
        began = time.time()
        await self.until(lambda: self.queue.attempted == ["id1"])
        self.assertGreaterEqual(time.time() - began, 0.4)
        self.assertLessEqual(self.queue.looks, 4)

    async def test_what_an_attempt_elsewhere_has_left_is_attempted_when_it_is_due(self) -> None:
        self.queue.go_on.set()
        retries = self.begin()
        await self.until(lambda: self.queue.looks == 1)
        self.queue.waiting = [("id1", time.time() + 0.5)]
        began = time.time()
        retries.reckon()
        await self.until(lambda: self.queue.attempted == ["id1"])
        self.assertLess(time.time() - began, LOOK - 1)

    async def test_however_many_attempts_end_they_do_not_put_off_the_next_look(self) -> None:
        self.queue.go_on.set()
        retries = self.begin()
        await self.until(lambda: self.queue.looks == 1)
        self.queue.waiting = [("id1", time.time() + 0.5)]

        def ended() -> bool:
            retries.reckon()
            return bool(self.queue.attempted)

        await self.until(ended)

    async def test_not_more_are_under_way_than_allowed_and_the_rest_follows(self) -> None:
        self.queue.waiting = [(f"id{number}", 0.0) for number in range(7)]
        self.begin(most=2)
        await self.until(lambda: len(self.queue.attempted) == 2)
        await deferLater(reactor, 0.5)
        self.assertEqual(len(self.queue.attempted), 2)
        self.queue.go_on.set()
        await self.until(lambda: len(self.queue.attempted) == 7)
        self.assertEqual(self.queue.most_at_once, 2)

    async def test_nothing_to_do_costs_next_to_nothing(self) -> None:
        self.begin()
        await deferLater(reactor, 0.6)
        self.assertLessEqual(self.queue.looks, 1)

    async def test_a_spool_in_trouble_is_no_busy_loop(self) -> None:
        self.queue.waiting = [("id1", 0.0)]

        def due(limit: int) -> Sequence[str]:
            self.queue.looks += 1
            raise OSError(5, "Input/output error")

        self.queue.due = due
        with self.assertLogs("sesmail.service.attempts", "ERROR"):
            self.begin()
            await deferLater(reactor, 0.6)
        self.assertEqual(self.queue.looks, 1)

    async def test_after_a_stop_nothing_begins(self) -> None:
        self.queue.waiting = [("id1", time.time() + 0.3)]
        self.begin().stopService()
        await deferLater(reactor, 0.6)
        self.assertEqual(self.queue.attempted, [])
