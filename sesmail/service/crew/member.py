"""One worker as its parent sees it: a process that is started, watched, told what to do, and started again when it ends."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from sesmail.counters import Counter
from sesmail.service.crew.channel import pair
from sesmail.service.crew.desk import Desk, Seat, serve
from sesmail.service.crew.orders import Ordering

_log = logging.getLogger(__name__)

LINE, ORDERS = 3, 4
"""Descriptors on which a worker finds the ends of its line and of its orders."""

# Seconds until the next start: at once after one that went well for a while, else longer each time.
STEADY = 60.0
SOONEST, LONGEST = 1.0, 60.0
# What speaks of the parent alone.
_OURS = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"})

_ends = Counter("sesmail_workers_ended_total", "Workers that ended without being told to, and were started again.")


class Member:
    """A worker's place, filled until `leave`. `command` runs a worker, given its number.

    `edition` is that of the configuration which the process serves by, 0 until it serves. `silent` counts the looks since it was last
    heard of. `over` fires when the last process has ended.
    """

    def __init__(self, number: int, reactor: Any, desk: Desk, command: list[str], *, changed: Callable[[], None]) -> None:
        self.number = number
        self.edition = 0
        self.silent = 0
        self.seat: Seat | None = None
        self.over: Deferred[None] = Deferred()
        self._reactor = reactor
        self._desk = desk
        self._command = [*command, str(number)]
        self._changed = changed
        self._process: Any = None
        self._hang_up: Callable[[], None] = _nothing
        self._leaving = False
        self._pause = 0.0
        self._began = 0.0
        self._next: IDelayedCall | None = None

    @property
    def serves(self) -> bool:
        """Whether it takes connections."""
        return self.edition > 0

    def begin(self) -> None:
        """Start the process. One that cannot be started is tried again later."""
        self._next = None
        self._began = self._reactor.seconds()
        try:
            self._start()
        except OSError as error:
            _log.error("worker %d cannot be started: %s", self.number, error.strerror)
            self._ended("was not started")

    def leave(self) -> None:
        """Let it finish what it has begun, and start it no more. May be called more than once."""
        self._leaving = True
        self.order("stop")
        if self._process is None:
            self._finish()

    def order(self, name: str, *arguments: object) -> None:
        """Tell the process, if there is one."""
        if self.seat is not None:
            self.seat.order(name, arguments)

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None:
            with suppress(ProcessExitedAlready):
                self._process.signalProcess("KILL")

    def _start(self) -> None:
        line, ours = pair()
        orders, ordering = pair()
        with line, orders, open(os.devnull, "rb") as nothing:
            descriptors = {0: nothing.fileno(), 1: 1, 2: 2, LINE: line.fileno(), ORDERS: orders.fileno()}
            try:
                self._process = self._reactor.spawnProcess(
                    _Process(self._ended), self._command[0], self._command, env=_environment(os.environ), childFDs=descriptors
                )
            except OSError:
                ours.close()
                ordering.close()
                raise
        self._sit(ours, ordering)
        _log.info("worker %d begins as process %d", self.number, self._process.pid)

    def _sit(self, ours: Any, ordering: Any) -> None:
        told = Ordering(self._reactor, ordering, self.kill)
        self.seat = Seat(self.number, told)
        self._desk.join(self.seat)
        # A process whose line is cut can do nothing any more.
        heard = serve(self._desk, self.seat, self._reactor, ours, self.kill)

        def hang_up() -> None:
            told.close()
            heard.close()

        self._hang_up = hang_up

    def _ended(self, how: str) -> None:
        self._process = None
        self.edition = self.silent = 0
        if self.seat is not None:
            seat, self.seat = self.seat, None
            self._hang_up()
            self._desk.leave(seat)
        if self._leaving:
            _log.info("worker %d %s", self.number, how)
            self._finish()
        else:
            self._start_again(how)
        self._changed()

    def _start_again(self, how: str) -> None:
        steady = self._reactor.seconds() - self._began >= STEADY
        seconds = 0.0 if steady else self._pause
        self._pause = SOONEST if steady else min(max(SOONEST, self._pause * 2), LONGEST)
        _ends.add()
        _log.error("worker %d %s, its sessions with it; it begins again in %g seconds", self.number, how, seconds)
        self._next = self._reactor.callLater(seconds, self.begin)

    def _finish(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if not self.over.called:
            self.over.callback(None)


class _Process(ProcessProtocol):
    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended

    def processEnded(self, reason: Failure) -> None:
        if reason.check(ProcessDone):
            self._ended("ended")
            return
        error: Any = reason.value
        self._ended(f"was ended by signal {error.signal}" if error.signal else f"ended with status {error.exitCode}")


def command() -> list[str]:
    """Runs a worker by the same Python and the same code as this process."""
    return [sys.executable, "-P", "-m", "sesmail.service.crew.child"]


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in ours.items() if name not in _OURS} | {"PYTHONPATH": os.pathsep.join(sys.path)}


def _nothing() -> None:
    """There is no line to cut."""
