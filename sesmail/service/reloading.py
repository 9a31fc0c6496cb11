"""A reload: the configuration is read again, and the running gateway takes on what it can without ending a session."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred

from sesmail.config.problems import ConfigError
from sesmail.config.table import Config
from sesmail.counters import Counter
from sesmail.errors import MailError
from sesmail.service.changes import Change, change
from sesmail.service.hangup import Hangup
from sesmail.service.locks import patient
from sesmail.service.workers import Workers, within

_log = logging.getLogger(__name__)

_reloads = Counter(
    "sesmail_reloads_total", "Reloads of the configuration, by whether it was taken on: good or refused.", ("result",)
)
_reloads.expect("good", "refused")

# A disk that does not answer must not keep the next reload waiting for ever.
PATIENCE = 60.0
# Nor must it keep a stop waiting.
LEAVING = 2.0

Load: TypeAlias = Callable[[], Config]
"""Reads the configuration, in a thread. Raises ConfigError."""

TakeOn: TypeAlias = Callable[[], None]
"""Takes on what was prepared, at once. Does not fail."""

Prepare: TypeAlias = Callable[[Config], Awaitable[TakeOn]]
"""Makes ready what a part needs of a configuration, and changes nothing. Raises ConfigError, MailError."""


class Told(Protocol):
    """Who wants to know when a reload begins and ends: see Notify."""

    def reloading(self) -> None: ...
    def ready(self) -> None: ...


class Reloading(MultiService):
    """Reads the configuration by `load` on each SIGHUP and gives it to `parts`: to all, or, where one refuses it, to none.

    `config` is what the gateway runs by. The parts are asked in their order, and take on what they prepared in that order.
    """

    def __init__(self, config: Config, reactor: Any, load: Load, parts: Sequence[Prepare], told: Told) -> None:
        super().__init__()
        self.setName("reloading")
        self.config = config
        self._load = load
        self._parts = parts
        self._told = told
        self._reactor = reactor
        self._under_way: Deferred[bool] | None = None
        self._again = False
        self._reading = Workers(reactor, "reading the configuration", 1, 1, daemon=True)
        self._reading.setServiceParent(self)
        Hangup(reactor, self.begin).setServiceParent(self)

    def stopService(self) -> Deferred[bool]:
        return Deferred.fromCoroutine(within(LEAVING, super().stopService(), self._reactor))

    def begin(self) -> None:
        """Begin a reload; one more follows the one that is under way, which may have read the file too early."""
        self._again = self._under_way is not None
        if self._under_way is None:
            self._under_way = Deferred.fromCoroutine(self.reload())
            self._under_way.addBoth(self._ended)

    async def reload(self) -> bool:
        """Whether the configuration was taken on; the log says why it was not. Never raises."""
        self._told.reloading()
        try:
            await self._reload()
        except ConfigError as error:
            for problem in error.problems:
                _log.error("configuration: %s", problem)
        except MailError as error:
            _log.error("configuration: %s", error)
        except Exception:
            _log.exception("a reload failed")
        else:
            _reloads.add("good")
            return True
        finally:
            self._told.ready()
        _reloads.add("refused")
        _log.error("nothing was reloaded: everything stays as it was")
        return False

    async def _reload(self) -> None:
        read = await patient(self._reading, self._reactor, PATIENCE)(self._load)
        found = change(self.config, read)
        prepared = [await prepare(found.config) for prepare in self._parts]
        for take_on in prepared:
            take_on()
        self.config = found.config
        _tell(found)

    def _ended(self, result: object) -> object:
        self._under_way = None
        if self._again:
            self.begin()
        return result


def _tell(found: Change) -> None:
    for warning in found.config.warnings:
        _log.warning("%s", warning)
    if found.left:
        _log.warning("changed, but only a restart takes it on: %s", ", ".join(found.left))
    _log.info("reloaded; changed in the configuration: %s", ", ".join(found.taken) or "nothing")
