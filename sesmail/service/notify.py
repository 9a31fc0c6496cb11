"""What the init system is told: notices of sd_notify(3), among them the beats that its watchdog waits for."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.task import LoopingCall

_log = logging.getLogger(__name__)

# Seconds between two looks at the figures.
EVERY = 5.0


class Silent:
    """Tells nobody: where no one asked, and in a process that another one speaks for."""

    def ready(self) -> None:
        """The service serves, or a reload has ended."""

    def reloading(self) -> None:
        """A reload begins; `ready` follows."""

    def stopping(self) -> None:
        """The service begins to stop. What is said of readiness from then on is not passed on."""

    def status(self, text: str) -> None:
        """What the service does, in a line for people."""

    def alive(self) -> None:
        """A beat for the watchdog."""


class Notify(Silent):
    """Tells whoever listens at the datagram socket `address`, a path or ``@`` and an abstract name. Never waits and never fails."""

    def __init__(self, address: str, *, now: Callable[[], int] = time.monotonic_ns) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._now = now
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._status = ""
        self._stopping = False

    def ready(self) -> None:
        if not self._stopping:
            self._tell("READY=1")

    def reloading(self) -> None:
        # The time is what Type=notify-reload matches notices by.
        if not self._stopping:
            self._tell("RELOADING=1", f"MONOTONIC_USEC={self._now() // 1000}")

    def stopping(self) -> None:
        self._stopping = True
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        if text != self._status:
            self._status = text
            self._tell(f"STATUS={text}")

    def alive(self) -> None:
        self._tell("WATCHDOG=1")

    def _tell(self, *notices: str) -> None:
        try:
            self._socket.sendto("\n".join(notices).encode(), self._address)
        except OSError as error:
            _log.debug("the init system was not told %s: %s", notices[0], error)


def told(environ: Mapping[str, str]) -> Silent:
    """Who is told of this process, by the environment that systemd gives it."""
    address = environ.get("NOTIFY_SOCKET", "")
    if address.startswith(("/", "@")):
        return Notify(address)
    if address:
        _log.warning("NOTIFY_SOCKET names no Unix socket; nobody is told when the service is ready")
    return Silent()


def patience(environ: Mapping[str, str]) -> float | None:
    """Seconds after which the watchdog ends this process unless it hears of it; None where there is none."""
    usec = environ.get("WATCHDOG_USEC", "")
    ours = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
    return int(usec) / 1_000_000 if ours and usec.isdecimal() and int(usec) else None


class Notices(Service):
    """Tells that the service is ready as soon as the reactor runs, how it does from time to time, and that it stops.

    Beats for a watchdog of `patience` seconds come from the reactor: one that is stuck sends none. `figures` make the status. Without
    `ready` somebody else says that. Must be started before the reactor.
    """

    def __init__(
        self, reactor: Any, told: Silent, patience: float | None, figures: Callable[[], str], *, ready: bool = True
    ) -> None:
        self._ready = ready
        self._reactor = reactor
        self._told = told
        self._figures = figures
        self._beats = LoopingCall(told.alive)
        self._looks = LoopingCall(self._look)
        self._every = {self._looks: EVERY}
        if patience is not None:
            # systemd's advice: at half of the time.
            self._every[self._beats] = patience / 2
        for loop in self._every:
            loop.clock = reactor

    def startService(self) -> None:
        super().startService()
        self._reactor.callWhenRunning(self._begin)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._told.stopping)

    def stopService(self) -> None:
        super().stopService()
        for loop in self._every:
            if loop.running:
                loop.stop()

    def _begin(self) -> None:
        if not self.running:
            return
        if self._ready:
            self._told.ready()
        for loop, every in self._every.items():
            loop.start(every)

    def _look(self) -> None:
        self._told.status(self._figures())
