"""Sealed messages in memory: what they may take of it, and who gives way."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sesmail.errors import TooLarge, Unavailable
from sesmail.interfaces import Body
from sesmail.storage.body import MemoryBody
from sesmail.storage.read.ahead import Window
from sesmail.storage.read.bodies import HEAD, collect
from sesmail.storage.read.budget import PATIENCE, Budget
from sesmail.storage.read.sealedbody import SealedBody
from sesmail.storage.sealedform import Cipher, Envelope
from tests.read.test_ahead import Slow

ENVELOPE = Envelope(Cipher.GCM, bytes(12), b"wrapped", {})


class SlowSealed(Slow):
    """All its messages are sealed, by sixteen octets at their end; `fails` cannot be opened."""

    fails = -1

    async def open(self, key: str, *, size: int, head: bool = False) -> Body:
        body = await super().open(key, size=size, head=head)

        async def unseal(found: Envelope, sealed: list[bytes]) -> list[bytes]:
            if int(key) == self.fails:
                raise Unavailable
            return [b"".join(sealed)[:-16]]

        return SealedBody(key, MemoryBody(await collect(body)), ENVELOPE, unseal)


class Sealed(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def _window(self, sizes: list[int], budget: Budget | None = None, store: Slow | None = None) -> tuple[Slow, Window, Budget]:
        store = store or SlowSealed(sizes)
        store.at_once = True
        budget = budget or Budget(1000, 2000, 8, self.clock)
        return store, Window(budget, store, store.names, len(sizes)), budget

    def _opening(self, window: Window, index: int, *, head: bool = False) -> Deferred[Body]:
        return Deferred.fromCoroutine(window.open(index, head=head, skip=frozenset()))

    def _read(self, body: Body) -> bytes:
        return self.successResultOf(Deferred.fromCoroutine(collect(body)))

    def test_what_is_read_is_what_was_sealed_and_all_of_it_counts(self) -> None:
        _, window, budget = self._window([316] * 4)
        for index in range(4):
            body = self.successResultOf(self._opening(window, index))
            self.assertTrue(body.whole)
            self.assertGreaterEqual(budget.held, 316)
            self.assertLessEqual(budget.held, 2000)
            self.assertEqual(self._read(body), str(index).encode() * 300)
            body.close()
        window.close()
        self.assertEqual(budget.held, 0)

    def test_the_beginning_of_a_sealed_message_counts_as_all_of_it(self) -> None:
        budget = Budget(4 * HEAD, 8 * HEAD, 8, self.clock)
        _, window, _ = self._window([3 * HEAD] * 9, budget)
        bodies = [self.successResultOf(self._opening(window, index, head=True)) for index in range(2)]
        self.assertGreaterEqual(budget.held, 2 * 3 * HEAD)
        self.assertLessEqual(budget.held, 8 * HEAD)
        for body in bodies:
            body.close()
        window.close()
        self.assertEqual(budget.held, 0)

    def test_what_was_read_ahead_gives_way_to_what_somebody_waits_for(self) -> None:
        _, idle, budget = self._window([400] * 9)
        _, other, _ = self._window([400] * 9, budget)
        for window in (idle, other):
            for index in range(2):
                self.successResultOf(self._opening(window, index)).close()
        self.assertGreater(budget.held, 0)
        _, window, _ = self._window([1900] * 2, budget)
        body = self.successResultOf(self._opening(window, 1))
        self.assertEqual(budget.held, 1900)
        body.close()
        # They go on where they were.
        self.assertEqual(self._read(self.successResultOf(self._opening(idle, 2))), b"2" * 384)
        for one in (idle, other, window):
            one.close()

    def test_a_message_waits_for_those_before_it_in_order(self) -> None:
        _, window, budget = self._window([1500] * 3)
        windows = [self._window([1500] * 3, budget)[1] for _ in range(2)]
        first = self.successResultOf(self._opening(window, 0))
        second, third = (self._opening(one, 0) for one in windows)
        self.assertNoResult(second)
        self.assertFalse(budget.fits(1))
        first.close()
        body = self.successResultOf(second)
        self.assertNoResult(third)
        body.close()
        self.successResultOf(third).close()
        self.assertEqual(budget.held, 0)

    def test_who_waits_too_long_or_leaves_hears_so_and_holds_nothing(self) -> None:
        _, window, budget = self._window([1500] * 3)
        windows = [self._window([1500] * 3, budget)[1] for _ in range(3)]
        first = self.successResultOf(self._opening(window, 0))
        left, late, last = (self._opening(one, 0) for one in windows)
        left.cancel()
        self.failureResultOf(left, CancelledError)
        self.clock.advance(PATIENCE)
        self.failureResultOf(late, Unavailable)
        self.failureResultOf(last, Unavailable)
        first.close()
        self.assertEqual(budget.held, 0)
        self.assertTrue(budget.fits(2000))

    def test_what_can_never_be_held_is_refused(self) -> None:
        _, window, budget = self._window([2001])
        self.failureResultOf(self._opening(window, 0), TooLarge)
        self.assertEqual(budget.held, 0)

    def test_what_cannot_be_opened_holds_nothing_and_is_tried_when_it_is_wanted(self) -> None:
        store = SlowSealed([100] * 6)
        store.fails = 2
        _, window, budget = self._window(store.sizes, store=store)
        for index in range(2):
            self.successResultOf(self._opening(window, index)).close()
        before: Any = store.asked.count(2)
        self.failureResultOf(self._opening(window, 2), Unavailable)
        self.assertEqual((before, store.asked.count(2)), (1, 2))
        window.close()
        self.assertEqual(budget.held, 0)

    def test_a_body_that_was_closed_never_looks_whole(self) -> None:
        async def unseal(found: Envelope, sealed: list[bytes]) -> list[bytes]:
            return [b"mail"]

        body = SealedBody("m", MemoryBody(b"x" * 20), ENVELOPE, unseal)
        body.close()
        self.failureResultOf(Deferred.fromCoroutine(body.read()), Unavailable)
