"""SIGHUP: Twisted leaves it alone, so that it would end the process."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorFromThreads


class Hangup(Service):
    """Calls `reload` in the reactor on each SIGHUP while the service runs. Must be started in the main thread."""

    def __init__(self, reactor: IReactorFromThreads, reload: Callable[[], None]) -> None:
        self._reactor = reactor
        self._reload = reload
        self._before: Any = signal.SIG_DFL

    def startService(self) -> None:
        super().startService()
        self._before = signal.signal(signal.SIGHUP, self._caught)

    def stopService(self) -> None:
        super().stopService()
        signal.signal(signal.SIGHUP, self._before)

    def _caught(self, number: int, frame: FrameType | None) -> None:
        # callFromThread wakes a reactor that waits, which callLater would not.
        self._reactor.callFromThread(self._reload)
