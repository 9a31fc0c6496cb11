"""The running gateway: started and stopped in order."""

from __future__ import annotations

import logging
from collections.abc import Callable

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime

from sesmail.service.collecting import Collecting
from sesmail.service.sending import Sending
from sesmail.service.serving import Serving
from sesmail.storage.read.readers import Readers

_log = logging.getLogger(__name__)

# Seconds that attempts to send have at least, when sessions took all the time there was.
LEAST_DRAIN = 1.0


class Gateway(Serving):
    """The running service. A stop first closes the ports, then lets transfers finish for `drain` seconds, then all the rest."""

    def __init__(self, readers: Readers, drain: float, clock: IReactorTime) -> None:
        super().__init__()
        self._readers = readers
        self._drain = drain
        self._clock = clock
        self.sending: Sending | None = None
        """Carries mail on while the service runs, and when sessions have ended for what is left of `drain`."""
        self.collecting: Collecting | None = None
        """Collects mail that comes in while the service runs; it ends together with the sessions."""
        self.reload: Callable[[], None] = lambda: None
        """Begins to read the configuration again."""

    def figures(self) -> str:
        """What it does, in a line for people."""
        count = sum(factory.open for factory in self.factories)
        return f"{count} session{'' if count == 1 else 's'} at {len(self.listeners)} listener{'' if len(self.listeners) == 1 else 's'}"

    def stopService(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        _log.info("stopping: no new connections, transfers have %g seconds", self._drain)
        self.stopping = True
        until = self._clock.seconds() + self._drain
        await gatherResults([listener.stopService() for listener in self.listeners])
        ending = [factory.drain(self._drain) for factory in self.factories]
        if self.collecting is not None:
            ending.append(self.collecting.drain(max(LEAST_DRAIN, self._drain)))
        await gatherResults([Deferred.fromCoroutine(one) for one in ending])
        if self.sending is not None:
            await self.sending.drain(max(LEAST_DRAIN, until - self._clock.seconds()))
        await super().stopService()
        await self._readers.close()
        _log.info("stopped")
