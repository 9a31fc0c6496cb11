"""When messages of the spool are attempted: the first time while their client is held, again when they are due."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from sesmail.errors import Unavailable
from sesmail.mail.outcome import Outcome
from sesmail.relay.queue import Ear, Queue, answer
from sesmail.relay.spool import Spool
from sesmail.service.workers import Workers

_log = logging.getLogger(__name__)

# Other processes leave wishes in the spool: it is looked at that often, however far away the next message is.
LOOK = 5.0
# Between two looks, however much is due.
PAUSE = 0.2


class FirstAttempts:
    """Makes the first attempt with a message and holds its client for at most `hold` seconds; calls `ended` behind each."""

    def __init__(self, queue: Queue, workers: Workers, clock: IReactorTime, hold: float, ended: Callable[[], None]) -> None:
        self._queue = queue
        self._workers = workers
        self._clock = clock
        self._hold = hold
        self._ended = ended

    async def __call__(self, id: str) -> Outcome | None:
        """See relay.submission.Attempt. The attempt goes on when nobody waits for it any more."""
        ear, heard = Ear(), Deferred[Outcome | None]()

        def give_up() -> None:
            # Who comes too late waits on: the attempt has an answer for him, which nobody else would get.
            if ear.gives_up():
                heard.callback(None)

        def over(outcomes: Mapping[str, Outcome] | Failure) -> None:
            self._ended()
            if timer is not None and timer.active():
                timer.cancel()
            if not heard.called:
                heard.callback(_heard(id, outcomes))

        timer = self._clock.callLater(self._hold, give_up) if self._hold else None
        if timer is None:
            give_up()
        Deferred.fromCoroutine(self._workers.run(self._queue.attempt, id, ear)).addBoth(over)
        return await heard


def _heard(id: str, outcomes: Mapping[str, Outcome] | Failure) -> Outcome | None:
    if not isinstance(outcomes, Failure):
        return answer(id, outcomes)
    if not outcomes.check(Unavailable):
        _log.error("message %s could not be attempted", id, exc_info=outcomes.value)
    return None


class Retries(Service):
    """Attempts what is due while it runs, at most `most` messages at a time. `now` is Unix time."""

    def __init__(
        self, queue: Queue, spooling: Workers, sending: Workers, clock: IReactorTime, now: Callable[[], float], most: int
    ) -> None:
        self.setName("retries")
        self._queue = queue
        self._spooling = spooling
        self._sending = sending
        self._clock = clock
        self._now = now
        self._most = most
        self._under_way = 0
        self._looking = False
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        super().startService()
        self._in(0)

    def stopService(self) -> None:
        super().stopService()
        if self._call is not None and self._call.active():
            self._call.cancel()

    def reckon(self) -> None:
        """An attempt has ended, wherever it was made: what it left may be due before the next look."""
        next_look, due = self._call, self._queue.next_due()
        if next_look is None or not next_look.active() or due is None or self._under_way >= self._most:
            return
        seconds = max(PAUSE, due - self._now())
        if self._clock.seconds() + seconds < next_look.getTime():
            self._in(seconds)

    def _in(self, seconds: float) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        if self.running:
            self._call = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        if not self._looking:
            self._looking = True
            Deferred.fromCoroutine(self._begin()).addBoth(self._looked)

    def _looked(self, result: Failure | None) -> None:
        self._looking = False
        if isinstance(result, Failure):
            _log.error("the spool cannot be looked at: %s", result.value)
        due = self._queue.next_due()
        room = self._under_way < self._most
        self._in(
            min(max(PAUSE, due - self._now()), LOOK) if room and due is not None and not isinstance(result, Failure) else LOOK
        )

    async def _begin(self) -> None:
        room = self._most - self._under_way
        if not room:
            return
        for id in await self._spooling.run(self._queue.due, room):
            self._under_way += 1
            Deferred.fromCoroutine(self._sending.run(self._queue.attempt, id)).addBoth(self._ended)

    def _ended(self, _: object) -> None:
        self._under_way -= 1
        if self._under_way == self._most - 1:
            self._in(PAUSE)
        self.reckon()


class Settling(Service):
    """In a process that leaves it to another to try messages again: makes durable every few seconds what happened here."""

    def __init__(self, spool: Spool, spooling: Workers, clock: IReactorTime) -> None:
        self.setName("settling")
        self._spool = spool
        self._spooling = spooling
        self._settles = LoopingCall(self._settle)
        self._settles.clock = clock

    def startService(self) -> None:
        super().startService()
        self._settles.start(LOOK, now=False)

    def stopService(self) -> None:
        super().stopService()
        if self._settles.running:
            self._settles.stop()

    def reckon(self) -> None:
        """An attempt has ended: the other process knows when the next one is due."""

    def _settle(self) -> Deferred[None]:
        settled = Deferred.fromCoroutine(self._spooling.run(self._spool.settle))
        return settled.addErrback(lambda failure: _log.error("the spool cannot be written: %s", failure.value))
