"""Bounded pools of threads for plain blocking code: never the reactor's own, which resolves names."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.python.failure import Failure

from sesmail.counters import Counter, Gauge
from sesmail.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

_busy = Gauge("sesmail_pool_busy", "Threads of a pool that work.", ("pool",))
_waiting = Gauge("sesmail_pool_waiting", "Calls that wait for a thread of a pool.", ("pool",))
_refused = Counter("sesmail_pool_refused_total", "Calls that a pool refused because it was full.", ("pool",))

_Job = tuple[Deferred[Any], Callable[[], Any]]


class Workers(Service):
    """A pool that runs at most `threads` functions at once and lets at most `queue` more wait.

    As a service it must be running to be used. Stopping waits for what has begun or waits, and refuses what comes later. `daemon`: the
    process need not wait for what has begun, and may end in the middle of it.

    Twisted's own pool wakes the reactor twice for each call, this one once for all that ended meanwhile.
    """

    def __init__(self, reactor: IReactorFromThreads, name: str, threads: int, queue: int, *, daemon: bool = False) -> None:
        self.setName(name)
        self._reactor = reactor
        self._most = threads
        self._daemon = daemon
        self._room = threads + queue
        self._busy = 0
        self._threads: list[Thread] = []
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._ended: deque[tuple[Deferred[Any], object]] = deque()
        self._told = False
        self._idle: Deferred[None] | None = None
        self._unread: list[Callable[[], None]] = []

    def startService(self) -> None:
        super().startService()
        label = (str(self.name),)
        _refused.expect(label)
        self._unread = [
            _busy.read(lambda: {label: min(self._busy, self._most)}),
            _waiting.read(lambda: {label: max(0, self._busy - self._most)}),
        ]

    def stopService(self) -> Deferred[None]:
        if not self.running:
            return self._idle or succeed(None)
        super().stopService()
        while self._unread:
            self._unread.pop()()
        self._idle = Deferred()
        # The threads are joined: only when none has work does that not hold up the reactor.
        self._idle.addCallback(lambda _: self._join())
        if not self._busy:
            self._idle.callback(None)
        return self._idle

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in a thread. Raises Unavailable when the pool is full or stopped, and what the function raises.

        A function that has begun runs to its end even when nobody waits for it any more, and keeps its room until then.
        """
        if not self.running or self._busy >= self._room:
            _refused.add(str(self.name), by=self.running)
            raise Unavailable(cause=f"the pool {self.name} is {'full' if self.running else 'stopped'}")
        # What ended, but was not told yet, keeps no thread busy.
        if len(self._threads) <= self._busy - len(self._ended) and len(self._threads) < self._most:
            self._add_thread()
        self._busy += 1
        over: Deferred[T] = Deferred()
        self._jobs.put((over, partial(function, *args, **kwargs)))
        return await over

    def _add_thread(self) -> None:
        thread = Thread(target=self._work, name=f"{self.name}-{len(self._threads)}", daemon=self._daemon)
        thread.start()
        self._threads.append(thread)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            over, function = job
            try:
                result = function()
            except BaseException:
                result = Failure()
            self._ended.append((over, result))
            # In this order, and _tell the other way round: what ended is seen by the call under way, or there is another one.
            if not self._told:
                self._told = True
                self._reactor.callFromThread(self._tell)
            # While the next one is waited for, nothing of this one is kept.
            del job, over, function, result

    def _tell(self) -> None:
        self._told = False
        while self._ended:
            over, result = self._ended.popleft()
            self._busy -= 1
            over.callback(result)
        if self._idle is not None and not self._busy and not self._idle.called:
            self._idle.callback(None)

    def _join(self) -> None:
        for _ in self._threads:
            self._jobs.put(None)
        while self._threads:
            self._threads.pop().join()


async def within(seconds: float, ended: Deferred[None], clock: IReactorTime) -> bool:
    """Wait for it, but not longer than that. False when it is not over by then; its failure is nobody's any more."""
    done: Deferred[bool] = Deferred()
    timer = clock.callLater(seconds, done.callback, False)

    def over(_: object) -> None:
        if timer.active():
            timer.cancel()
            done.callback(True)

    ended.addBoth(over)
    return await done
