"""Mail that comes in is collected while the gateway runs: from the queue, from the queue of dead letters, and by sweeps."""

from __future__ import annotations

import logging
import time
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime

from sesmail.assembly import collecting, queues
from sesmail.assembly.sorting import Receiving
from sesmail.config.receivingchecks import is_told, sweep_every
from sesmail.config.table import Config
from sesmail.delivery.consumer import Consumer
from sesmail.service.regular import Regular
from sesmail.service.workers import Workers, within

_log = logging.getLogger(__name__)

# Sweeps that are left out, one after the other, because the queue still has notices to give.
_MOST_LEFT_OUT = 4


def collects(config: Config) -> bool:
    """Whether there is anything to collect from."""
    return bool(config.queue.url or config.queue.dead_letter_url or sweep_every(config))


class Collecting(Service):
    """Begins and ends what collects. `mail` sorts what is found."""

    def __init__(self, config: Config, reactor: Any, mail: Receiving) -> None:
        self.setName("collecting")
        self._config = config
        self._mail = mail
        self._clock: IReactorTime = reactor
        queue = queues.notices(config)
        self.consumer: Consumer | None = collecting.consumer(config, queue, mail.intake.take) if queue else None
        self._dead_letters = queues.dead_letters(config)
        self._sweep = collecting.sweep(config, mail.inbox, mail.sorter)
        self._expiry = collecting.expiry(config, mail.inbox)
        self._left_out = 0
        self._pass: Consumer | None = None
        self._passes = Workers(reactor, "collecting", 2, 2, daemon=True)
        self._ending = Workers(reactor, "ending", 2, 0, daemon=True)
        self._regular = list(self._made(reactor))

    def _made(self, clock: IReactorTime) -> list[Regular]:
        made = []
        if self._dead_letters is not None:
            every = self._config.queue.dead_letter_every
            made.append(Regular("dead letters", self._drain_dead_letters, self._passes, clock, first=0, every=every))
        if every := sweep_every(self._config):
            # Where notices come, most of what lies there now has one that is on its way.
            first = every if is_told(self._config) else 0.0
            made.append(Regular("sweep", self._swept, self._passes, clock, first=first, every=every))
        return made

    def startService(self) -> None:
        super().startService()
        for part in (self._passes, self._ending, *self._regular):
            part.startService()
        if self.consumer is not None:
            self.consumer.start()

    async def drain(self, seconds: float) -> None:
        """Begin with no further message, and wait for those that have begun, but not longer than that. What is left comes again."""
        self.stopService()
        for part in self._regular:
            part.stopService()
        self._sweep.stop()
        running = [consumer for consumer in (self.consumer, self._pass) if consumer is not None]
        passes = Deferred.fromCoroutine(within(seconds, self._passes.stopService(), self._clock))
        stopped = [Deferred.fromCoroutine(self._ending.run(consumer.stop, seconds)) for consumer in running]
        await gatherResults([passes, *stopped])
        await self._ending.stopService()

    def _drain_dead_letters(self) -> None:
        queue = self._dead_letters
        if queue is None or not self.running:
            return
        self._pass = collecting.dead_letter_consumer(self._config, queue, self._mail.intake.take)
        try:
            counts = self._pass.until_empty()
        finally:
            self._pass = None
        _log.info("dead letters: %d done, %d left, %d of them malformed", counts.done, counts.left, counts.malformed)

    def _swept(self) -> None:
        if self._is_behind():
            self._left_out += 1
            _log.info("the sweep is left out: the queue still has notices to give")
            return
        self._left_out = 0
        self._sweep.run()
        self._expiry.run()

    def _is_behind(self) -> bool:
        """Whether notices may still come of what a sweep would find: it would have to guess their recipients."""
        if self.consumer is None or self._left_out >= _MOST_LEFT_OUT:
            return False
        emptied = self.consumer.emptied
        return emptied is None or emptied < time.monotonic() - sweep_every(self._config)
