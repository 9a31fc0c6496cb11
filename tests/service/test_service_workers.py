"""Worker pools: bounded, apart from the reactor's, and not stopped before their work is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.trial.unittest import TestCase

from sesmail.errors import NoSuchMessage, Unavailable
from sesmail.service.workers import Workers
from tests.service.tls import reactor


class WorkersTest(TestCase):
    def setUp(self) -> None:
        self.workers = Workers(reactor, "test", threads=2, queue=1)
        self.workers.startService()
        self.gate = threading.Event()
        self.addCleanup(self.workers.stopService)
        self.addCleanup(self.gate.set)

    def run_in_pool(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.workers.run(function, *args))

    async def test_functions_run_in_threads_of_its_own(self) -> None:
        thread = await self.run_in_pool(threading.current_thread)
        self.assertIsNot(thread, threading.current_thread())
        self.assertNotIn(thread, reactor.getThreadPool().threads)

    async def test_what_a_function_raises_is_raised(self) -> None:
        def missing() -> None:
            raise NoSuchMessage

        await self.assertFailure(self.run_in_pool(missing), NoSuchMessage)

    async def test_a_full_pool_is_unavailable_and_has_room_again_afterwards(self) -> None:
        waiting = [self.run_in_pool(self.gate.wait, 30) for _ in range(3)]
        await self.assertFailure(self.run_in_pool(int), Unavailable)
        self.gate.set()
        self.assertEqual(await gatherResults(waiting), [True] * 3)
        self.assertEqual(await self.run_in_pool(int), 0)

    async def test_one_who_gives_up_leaves_the_room_taken_until_the_function_ends(self) -> None:
        waiting = [self.run_in_pool(self.gate.wait, 30) for _ in range(3)]
        waiting[0].cancel()
        await self.assertFailure(waiting[0], CancelledError)
        await self.assertFailure(self.run_in_pool(int), Unavailable)
        self.gate.set()
        await gatherResults(waiting[1:])

    async def test_a_stop_waits_for_what_was_begun_and_refuses_what_comes_later(self) -> None:
        ended: list[str] = []

        def work() -> None:
            self.gate.wait(30)
            time.sleep(0.01)
            ended.append("work")

        working = [self.run_in_pool(work) for _ in range(3)]
        stopped = self.workers.stopService()
        self.assertNoResult(stopped)
        await self.assertFailure(self.run_in_pool(int), Unavailable)
        self.gate.set()
        await stopped
        self.assertEqual(ended, ["work"] * 3)
        await gatherResults(working)

    async def test_a_pool_that_was_never_started_is_unavailable(self) -> None:
        await self.assertFailure(Deferred.fromCoroutine(Workers(reactor, "idle", 1, 1).run(int)), Unavailable)
