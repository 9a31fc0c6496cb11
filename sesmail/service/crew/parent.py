"""Several processes that serve mail as one: their parent opens the ports, holds what they share, and serves no mail itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall

from sesmail.config.table import Config
from sesmail.errors import MailError, Unavailable
from sesmail.service.crew.desk import Desk, Service
from sesmail.service.crew.given import Given
from sesmail.service.crew.member import Member
from sesmail.service.crew.sockets import Sockets, Wanted
from sesmail.service.crew.watch import Watch
from sesmail.service.listeners import Endpoints
from sesmail.service.reloading import Load, Prepare, Reloading, TakeOn, Told
from sesmail.service.workers import within

_log = logging.getLogger(__name__)

LOOK = 1.0
# Seconds that a worker may be silent for, where no watchdog of the init system says how long.
PATIENCE = 30.0
# Seconds that a worker may take beyond service.drain until it has ended, and all of them until they have taken on a reload.
SLOW = 30.0
# Until a process that was killed is gone.
_GONE = 5.0

Plan = Callable[[Config, Endpoints], None]
"""Puts a configuration together and runs nothing: the second is asked for the endpoints of its listeners. Raises ConfigError."""


class Parent(MultiService):
    """The service of the parent. It is ready, and says so, when all workers serve; it has stopped when all have ended.

    `load` reads the configuration again, `plan` checks it. `shared`: what all workers have in common, beside sockets and configuration.
    `run` runs a worker; one that is silent for `patience` seconds is killed.
    """

    def __init__(
        self,
        config: Config,
        reactor: Any,
        load: Load,
        plan: Plan,
        told: Told,
        shared: Sequence[Service] = (),
        *,
        run: list[str],
        patience: float = PATIENCE,
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._plan = plan
        self._told = told
        self._drain = config.service.drain
        self._wanted = self._planned(config)
        self._sockets = Sockets()
        self._given = Given(config)
        self.members: list[Member] = []
        self.watch = Watch(self.members, patience / LOOK, self._serves)
        desk = Desk([*shared, self._sockets, self._given, self.watch])
        self.members += [Member(number, reactor, desk, run, changed=self._serves) for number in range(config.service.workers)]
        self._late: IDelayedCall | None = None
        self._expected = True
        self._stopping = False
        self.parts: list[Prepare] = [self._prepare]
        """What a reload is given to; what is added here is asked after the sockets of the workers are open."""
        looks = TimerService(LOOK, self.watch.look)
        looks.clock = reactor
        for part in (looks, Reloading(config, reactor, load, self.parts, _Turn(told, self._reloaded))):
            part.setServiceParent(self)

    def figures(self) -> str:
        """What it does, in a line for people."""
        return f"{sum(member.serves for member in self.members)} of {len(self.members)} workers serve"

    def privilegedStartService(self) -> None:
        """Raises SystemExit, having logged one line, when a port is taken or may not be had."""
        try:
            self._sockets.open(self._wanted.endpoints)
        except MailError as error:
            _log.critical("%s", error.public)
            raise SystemExit(1) from None
        super().privilegedStartService()

    def startService(self) -> None:
        super().startService()
        for member in self.members:
            member.begin()

    def stopService(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        _log.info("stopping: no new connections, workers have %g seconds", self._drain)
        self._expected, self._stopping = False, True
        self._in_time()
        await self._sockets.close()
        for member in self.members:
            member.leave()
        if not await within(self._drain + SLOW, _over(self.members), self._reactor):
            await self._kill()
        await super().stopService()
        self.watch.stop()
        self._given.close()
        _log.info("stopped")

    async def _kill(self) -> None:
        left = [member for member in self.members if not member.over.called]
        for member in left:
            _log.error("worker %d does not end and is killed", member.number)
            member.kill()
        await within(_GONE, _over(left), self._reactor)

    def _planned(self, config: Config) -> Wanted:
        wanted = Wanted(self._reactor)
        self._plan(config, wanted)
        return wanted

    async def _prepare(self, config: Config) -> TakeOn:
        """See reloading.Prepare."""
        if self._stopping:
            raise Unavailable("the gateway stops")
        wanted = self._planned(config)
        self._sockets.open(wanted.endpoints)

        def take_on() -> None:
            self._wanted = wanted
            self._given.give(config)
            for member in self.members:
                member.order("reload")

        return take_on

    def _reloaded(self) -> None:
        """A reload has ended here, and goes on in the workers."""
        if self._stopping:
            return
        self._expected = True
        self._in_time()
        self._late = self._reactor.callLater(SLOW, self._is_late)
        self._serves()

    def _in_time(self) -> None:
        """Nobody is late with the reload before."""
        if self._late is not None and self._late.active():
            self._late.cancel()

    def _is_late(self) -> None:
        late = [member.number for member in self.members if member.edition != self._given.edition]
        _log.error("these workers do not serve by the new configuration yet: %s", ", ".join(map(str, late)))
        self._ready()

    def _serves(self) -> None:
        if self._expected and all(member.edition == self._given.edition for member in self.members):
            self._ready()

    def _ready(self) -> None:
        self._expected = False
        self._in_time()
        # Only now nobody takes connections from those that are not wanted any more.
        self._sockets.keep(self._wanted.endpoints)
        self._told.ready()


class _Turn:
    """See reloading.Told: here a reload has ended when it has ended in all workers."""

    def __init__(self, told: Told, ended: Callable[[], None]) -> None:
        self._told = told
        self._ended = ended

    def reloading(self) -> None:
        self._told.reloading()

    def ready(self) -> None:
        self._ended()


def _over(members: Sequence[Member]) -> Deferred[None]:
    return gatherResults([member.over for member in members]).addCallback(lambda _: None)
