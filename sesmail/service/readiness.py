"""Whether all answers that the gateway needs: asked when somebody wants to know, and then believed for a while."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from sesmail.assembly.needs import Question, reason
from sesmail.errors import MailError
from sesmail.service.workers import Workers, within
from sesmail.web.once import UnderWay

_log = logging.getLogger(__name__)

_SILENT = "no answer in time"


class Readiness(Service):
    """Asks `questions`, all at once, and believes what they say for `seconds`; who takes longer than `timeout` has not answered.

    One that hangs is not asked again until it has ended. As a service it must be running to be used. `end` is closed with it.
    """

    def __init__(
        self,
        questions: Mapping[str, Question],
        reactor: IReactorTime,
        *,
        seconds: float,
        timeout: float,
        end: ExitStack | None = None,
    ) -> None:
        self.setName("readiness")
        self._questions = questions
        self._clock = reactor
        self._seconds = seconds
        self._timeout = timeout
        self._end = end or ExitStack()
        self._workers = Workers(reactor, "readiness", len(questions), 0, daemon=True)  # type: ignore[arg-type]
        self._under_way: dict[str, Deferred[None]] = {}
        self._once = UnderWay()
        self._said: dict[str, str | None] = {}
        self._until = float("-inf")

    @property
    def needs(self) -> frozenset[str]:
        """The names of what is asked."""
        return frozenset(self._questions)

    def believe(self, seconds: float, timeout: float) -> None:
        """Go by these from now on, and ask anew."""
        self._seconds, self._timeout = seconds, timeout
        self._until = float("-inf")

    def startService(self) -> None:
        super().startService()
        self._workers.startService()

    def stopService(self) -> None:
        # What hangs is not waited for.
        super().stopService()
        self._workers.stopService()
        self._end.close()

    async def now(self) -> Mapping[str, str | None]:
        """What is wrong with each, None where it is well. Never raises."""
        if self._clock.seconds() >= self._until:
            await self._once.do("ready", self._ask)
        return self._said

    async def _ask(self) -> None:
        asked = {name: Deferred.fromCoroutine(self._reason(name)) for name in self._questions}
        said = dict(zip(asked, await gatherResults(asked.values()), strict=True))
        for name, wrong in said.items():
            if wrong != self._said.get(name):
                _log.log(logging.WARNING if wrong else logging.INFO, "readiness of %s: %s", name, wrong or "well again")
        self._said, self._until = said, self._clock.seconds() + self._seconds

    async def _reason(self, name: str) -> str | None:
        if name in self._under_way:
            return _SILENT
        answered = self._under_way[name] = Deferred.fromCoroutine(self._workers.run(self._questions[name]))
        answered.addBoth(self._answered, name)
        heard: list[object] = []
        answered.addBoth(heard.append)
        if not await within(self._timeout, answered, self._clock):
            return _SILENT
        return _wrong(name, heard[0])

    def _answered(self, result: object, name: str) -> object:
        del self._under_way[name]
        return result


def _wrong(name: str, heard: object) -> str | None:
    if not isinstance(heard, Failure):
        return None
    error = heard.value
    if not isinstance(error, MailError):
        _log.error("the question about %s failed for an error that nobody expected", name, exc_info=error)
    return reason(error)  # type: ignore[arg-type]
