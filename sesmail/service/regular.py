"""Work that is done again and again in a worker, whatever becomes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from sesmail.counters import Counter
from sesmail.errors import MailError
from sesmail.service.workers import Workers

_log = logging.getLogger(__name__)

_runs = Counter(
    "sesmail_regular_runs_total", "Work that is done again and again, by its name and whether it succeeded.", ("work", "result")
)

# Seconds until what failed is tried again, unless it is due earlier.
AGAIN = 300.0


class Regular(Service):
    """Runs `work` after `first` seconds, and then each time `every` seconds after its end. `name` is for the log."""

    def __init__(
        self, name: str, work: Callable[[], object], workers: Workers, clock: IReactorTime, *, first: float, every: float
    ) -> None:
        self.setName(name)
        self._work = work
        self._workers = workers
        self._clock = clock
        self._first = first
        self._every = every
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        super().startService()
        self._in(self._first)

    def stopService(self) -> None:
        """What is under way goes on."""
        super().stopService()
        if self._call is not None and self._call.active():
            self._call.cancel()

    def _in(self, seconds: float) -> None:
        if self.running:
            self._call = self._clock.callLater(seconds, self._begin)

    def _begin(self) -> None:
        Deferred.fromCoroutine(self._worked()).addCallback(self._in)

    async def _worked(self) -> float:
        try:
            await self._workers.run(self._work)
        except MailError as error:
            _log.error("%s: it failed and will be tried again: %s", self.name, error)
        except Exception:
            _log.exception("%s: it failed for an error that nobody expected, and will be tried again", self.name)
        else:
            _runs.add(str(self.name), "done")
            return self._every
        _runs.add(str(self.name), "failed")
        return min(AGAIN, self._every)
