"""Bounded pools of threads for plain blocking code: never the reactor's own, which resolves names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import ParamSpec, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from sesmail.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


class Workers(Service):
    """A pool that runs at most `threads` functions at once and lets at most `queue` more wait.

    As a service it must be running to be used. Stopping waits for what has begun or waits, and refuses what comes later. `daemon`: the
    process need not wait for what has begun, and may end in the middle of it.
    """

    def __init__(self, reactor: IReactorFromThreads, name: str, threads: int, queue: int, *, daemon: bool = False) -> None:
        self.setName(name)
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=0, maxthreads=threads, name=name)
        if daemon:
            self._pool.threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]
        self._room = threads + queue
        self._busy = 0
        self._idle: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        self._pool.start()

    def stopService(self) -> Deferred[None]:
        if not self.running:
            return self._idle or succeed(None)
        super().stopService()
        self._idle = Deferred()
        # Stopping a pool joins its threads: only when none has work does that not hold up the reactor.
        self._idle.addCallback(lambda _: self._pool.stop())
        if not self._busy:
            self._idle.callback(None)
        return self._idle

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in a thread. Raises Unavailable when the pool is full or stopped, and what the function raises.

        A function that has begun runs to its end even when nobody waits for it any more, and keeps its room until then.
        """
        if not self.running or self._busy >= self._room:
            raise Unavailable(cause=f"the pool {self.name} is {'full' if self.running else 'stopped'}")
        self._busy += 1
        return await deferToThreadPool(self._reactor, self._pool, self._call, function, args, kwargs)

    def _call(self, function: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]) -> T:
        try:
            return function(*args, **kwargs)
        finally:
            self._reactor.callFromThread(self._ended)

    def _ended(self) -> None:
        self._busy -= 1
        if self._idle is not None and not self._busy:
            self._idle.callback(None)
