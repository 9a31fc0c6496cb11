"""What the process itself costs, and whether its reactor keeps time."""

from __future__ import annotations

import os
import platform
import resource
import threading
import time
from collections import deque
from functools import cache
from importlib.metadata import version

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from sesmail.counters import Gauge

EVERY = 0.5
"""Seconds between two looks at the clock."""
_KEPT = 60
_PAGE = resource.getpagesize()
_BEGAN = time.time()


def _resident() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * _PAGE


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@cache
def _build() -> dict[tuple[str, ...], float]:
    return {(_own_version(), platform.python_version(), version("twisted")): 1}


def _own_version() -> str:
    try:
        return version("sesmail")
    except ModuleNotFoundError:
        # Run from its sources.
        return "unknown"


Gauge("sesmail_build_info", "Versions; the value is 1.", ("version", "python", "twisted"), over="max").read(_build)
Gauge("sesmail_start_time_seconds", "Unix time when the oldest process of the gateway began.", over="min").read(lambda: _BEGAN)
Gauge("sesmail_processes", "Processes of the gateway that these figures are of.").read(lambda: 1)
Gauge("sesmail_process_cpu_seconds", "Processor time that all processes have used.").read(_cpu)
Gauge("sesmail_process_resident_bytes", "Memory that all processes hold.").read(_resident)
Gauge("sesmail_process_threads", "Threads of all processes.").read(threading.active_count)
Gauge("sesmail_process_open_files", "Descriptors that all processes have open.").read(lambda: len(os.listdir("/proc/self/fd")))
_delay = Gauge(
    "sesmail_reactor_delay_seconds",
    "How late the reactor was at worst within the last half minute: everybody waits for that long.",
    over="max",
)


class Pulse(Service):
    """Looks at the clock again and again while it runs, and sees how much too late it is."""

    def __init__(self, clock: IReactorTime) -> None:
        self.setName("pulse")
        self._clock = clock
        self._late: deque[float] = deque([0.0], maxlen=_KEPT)
        self._unread = lambda: None
        self._call: IDelayedCall | None = None
        self._due = 0.0

    def startService(self) -> None:
        super().startService()
        self._unread = _delay.read(lambda: max(self._late))
        self._again()

    def stopService(self) -> None:
        super().stopService()
        self._unread()
        if self._call is not None and self._call.active():
            self._call.cancel()

    def _again(self) -> None:
        self._due = self._clock.seconds() + EVERY
        self._call = self._clock.callLater(EVERY, self._look)

    def _look(self) -> None:
        self._late.append(max(0.0, self._clock.seconds() - self._due))
        self._again()
