"""What is read ahead, what it may cost, and that it never changes what is read."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sesmail.errors import NoSuchMessage, Unavailable
from sesmail.interfaces import Body
from sesmail.storage.body import MemoryBody
from sesmail.storage.read.ahead import Window
from sesmail.storage.read.bodies import collect
from sesmail.storage.read.budget import Budget
from sesmail.storage.store import Loaded, Page, Unchanged


class Slow:
    """A store whose answers come when the test says so; message n is `n` in text, as often as its size wants."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes = sizes
        self.asked: list[int] = []
        self.heads: list[bool] = []
        self.waiting: dict[int, Deferred[None]] = {}
        self.at_once = False
        self.missing: set[int] = set()
        self.bodies: list[MemoryBody] = []

    def names(self, index: int) -> tuple[str, int]:
        return str(index), self.sizes[index]

    async def open(self, key: str, *, size: int, head: bool = False) -> Body:
        index = int(key)
        self.asked.append(index)
        self.heads.append(head)
        if not self.at_once:
            self.waiting[index] = Deferred()
            await self.waiting[index]
        if index in self.missing:
            raise NoSuchMessage
        body = MemoryBody(key.encode() * size)
        self.bodies.append(body)
        return body

    def arrive(self) -> None:
        while self.waiting:
            deferred = self.waiting.popitem()[1]
            if not deferred.called:
                deferred.callback(None)

    async def list(self, prefix: str, *, nested: bool, page: Page) -> None:
        raise Unavailable

    async def folders(self, prefix: str) -> Sequence[str]:
        raise Unavailable

    async def load(self, key: str, *, limit: int, known: str | None = None) -> Loaded | Unchanged:
        raise Unavailable


class Ahead(SynchronousTestCase):
    def _window(self, sizes: list[int], **limits: int) -> tuple[Slow, Window, Budget]:
        store = Slow(sizes)
        budget = Budget(**{"session_bytes": 1000, "total_bytes": 10_000, "messages": 8, **limits}, clock=Clock())
        return store, Window(budget, store, store.names, len(sizes)), budget

    def _read(
        self, store: Slow, window: Window, index: int, *, head: bool = False, skip: frozenset[int] = frozenset()
    ) -> bytes:
        opening = Deferred.fromCoroutine(window.open(index, head=head, skip=skip))
        store.arrive()
        body = self.successResultOf(opening)
        data = self.successResultOf(Deferred.fromCoroutine(collect(body)))
        body.close()
        return data

    def test_reading_in_order_doubles_the_window_up_to_its_limit(self) -> None:
        store, window, _ = self._window([1] * 40)
        counts = []
        for index in range(8):
            self._read(store, window, index)
            counts.append(len(store.asked) - index - 1)
        self.assertEqual(counts, [2, 4, 8, 8, 8, 8, 8, 8])
        self.assertEqual(store.asked, list(range(len(store.asked))))

    def test_the_wanted_message_is_asked_for_before_those_that_may_be_wanted(self) -> None:
        store, window, _ = self._window([1] * 9)
        self._read(store, window, 5)
        self._read(store, window, 6)
        self.assertEqual(store.asked, [5, 6, 7, 8])

    def test_going_elsewhere_drops_what_was_foreseen(self) -> None:
        store, window, budget = self._window([10] * 40)
        for index in (0, 1, 2):
            self._read(store, window, index)
        self._read(store, window, 30)
        self.assertEqual(budget.held, 0)
        self.assertEqual(store.asked[-1], 30)

    def test_beginnings_and_whole_messages_are_not_mixed_up(self) -> None:
        store, window, _ = self._window([1] * 20)
        self._read(store, window, 0, head=True)
        self._read(store, window, 1, head=True)
        self._read(store, window, 2)
        self.assertIn((2, False), zip(store.asked, store.heads, strict=True))

    def test_budgets_bound_what_is_held_and_a_closed_body_gives_back(self) -> None:
        store, window, budget = self._window([300] * 20)
        for index in range(6):
            opening = Deferred.fromCoroutine(window.open(index, head=False, skip=frozenset()))
            store.arrive()
            self.assertLessEqual(budget.held, 1000)
            self.successResultOf(opening).close()
        window.close()
        self.assertEqual(budget.held, 0)

    def test_all_sessions_together_keep_the_total(self) -> None:
        budget = Budget(session_bytes=1000, total_bytes=1200, messages=8, clock=Clock())
        store = Slow([300] * 20)
        windows = [Window(budget, store, store.names, 20) for _ in range(3)]
        for index in range(3):
            for window in windows:
                self._read(store, window, index)
                self.assertLessEqual(budget.held, 1200)
        for window in windows:
            window.close()
        self.assertEqual(budget.held, 0)

    def test_a_message_over_the_budget_is_read_when_it_is_wanted_and_the_window_goes_on_behind_it(self) -> None:
        store, window, _ = self._window([1, 1, 5000, 1, 1, 1, 1, 1])
        for index in range(8):
            self.assertEqual(len(self._read(store, window, index)), store.sizes[index])
        self.assertEqual(sorted(store.asked), list(range(8)))

    def test_messages_marked_as_deleted_are_not_read_ahead(self) -> None:
        store, window, _ = self._window([1] * 9)
        self._read(store, window, 0, skip=frozenset({1, 2, 4}))
        self.assertEqual(store.asked, [0, 3, 5])

    def test_a_message_that_vanished_ahead_is_missing_only_when_it_is_wanted(self) -> None:
        store, window, budget = self._window([1] * 6)
        store.missing.add(1)
        self.assertEqual(self._read(store, window, 0), b"0")
        opening = Deferred.fromCoroutine(window.open(1, head=False, skip=frozenset()))
        store.arrive()
        self.failureResultOf(opening, NoSuchMessage)
        self.assertEqual(self._read(store, window, 2), b"2")
        window.close()
        self.assertEqual(budget.held, 0)

    def test_closing_gives_up_what_is_on_its_way(self) -> None:
        store, window, budget = self._window([10] * 9)
        self._read(store, window, 0)
        self.successResultOf(Deferred.fromCoroutine(window.open(1, head=False, skip=frozenset())))
        self.assertGreater(budget.held, 0)
        window.close()
        self.assertEqual(budget.held, 10)  # the body that is still open


@given(moves=st.lists(st.tuples(st.integers(0, 19), st.booleans()), max_size=60), seed=st.integers(0, 9))
def test_any_way_through_a_mailbox_reads_the_right_messages_and_leaves_nothing_held(
    moves: list[tuple[int, bool]], seed: int
) -> None:
    chance = random.Random(seed)
    store = Slow([chance.choice([1, 50, 900, 5000]) for _ in range(20)])
    store.at_once = True
    store.missing = {7}
    budget = Budget(session_bytes=1000, total_bytes=1500, messages=4, clock=Clock())
    window = Window(budget, store, store.names, 20)

    async def walk() -> None:
        for index, head in moves:
            if index in store.missing:
                with pytest.raises(NoSuchMessage):
                    await window.open(index, head=head, skip=frozenset())
                continue
            body = await window.open(index, head=head, skip=frozenset())
            assert await collect(body) == str(index).encode() * store.sizes[index]
            body.close()
        window.close()

    done: list[object] = []
    Deferred.fromCoroutine(walk()).addBoth(done.append)
    assert done == [None]
    assert budget.held == 0
