"""The doors of a running gateway, changed while sessions go on: new ones are opened first, and then those not wanted any more are closed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from twisted.internet.defer import gatherResults

from sesmail.config.listeners import Listener as Listening
from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.config.table import Config
from sesmail.errors import Unavailable
from sesmail.service.listeners import CannotListen, Listener
from sesmail.service.reloading import TakeOn
from sesmail.service.serving import Served, Serving

_log = logging.getLogger(__name__)

Made: TypeAlias = Callable[[Config], Iterator[tuple[Listener, Served]]]
"""Makes the listeners of a configuration, which do not listen yet, and what they serve. Raises ConfigError."""

_Wanted: TypeAlias = Mapping[str, tuple[str, Listening]]


class OpenDoors:
    """Those of `serving`, opened by the configuration. Sessions of a door that is closed go on to their end.

    A door whose endpoint stays, and whose TLS or proxies change, is never closed in between. One that needs the address of another that is
    not wanted any more has it a moment later.
    """

    def __init__(self, serving: Serving, config: Config, make: Made) -> None:
        self._serving = serving
        self._make = make
        self._wanted = _wanted(config)

    async def prepare(self, config: Config) -> TakeOn:
        """See reloading.Prepare. New doors are open on return, but nobody is waited for at the others."""
        if self._serving.stopping:
            raise Unavailable("the gateway stops")
        wanted, before = _wanted(config), self._wanted
        changed = {name for name, entry in wanted.items() if before.get(name) != entry}
        open_now = {str(listener.name): listener for listener in self._serving.listeners}
        made = {
            str(listener.name): (listener, served)
            for listener, served in self._make(only(config, lambda _, one: one.endpoint in changed))
        }
        stay = {name for name in made if name in open_now and before[name][0] == wanted[name][0]}
        gone = [listener for name, listener in open_now.items() if name in before and (name not in wanted or name in made)]
        closing = [listener for listener in gone if listener.name not in stay]
        try:
            await _open([listener for name, (listener, _) in made.items() if name not in stay], closing)
        except CannotListen as error:
            raise ConfigError([_problem(config, wanted, error)]) from error

        def take_on() -> None:
            for name in stay:
                made[name][0].take(open_now[name])
            for listener in gone:
                self._serving.close(listener)
                if listener.name not in wanted:
                    _log.info("not listening on %s any more", listener.name)
            for listener, served in made.values():
                self._serving.listen(listener, served)
            self._wanted = wanted

        return take_on


async def _open(new: Iterable[Listener], closing: Iterable[Listener]) -> None:
    """All new ones, or none, and then `closing` are open. Raises CannotListen."""
    new, closing = list(new), list(closing)
    try:
        _open_all(new)
    except CannotListen:
        if not closing:
            raise
        # Perhaps it is one of those that has the address.
        await gatherResults([listener.shut() for listener in closing])
        try:
            _open_all(new)
        except CannotListen:
            _open_all(closing)
            raise


def _open_all(listeners: list[Listener]) -> None:
    for number, listener in enumerate(listeners):
        try:
            listener.open()
        except CannotListen:
            for opened in listeners[:number]:
                opened.shut()
            raise


def _wanted(config: Config) -> _Wanted:
    return {one.endpoint: (option, one) for option, found in config.listeners.items() for one in found}


def only(config: Config, keep: Callable[[str, Listening], bool]) -> Config:
    """The configuration with those listeners alone of which `keep` says so, given option and entry."""
    for option, found in config.listeners.items():
        section = option.partition(".")[0]
        left = tuple(one for one in found if keep(option, one))
        config = replace(config, **{section: replace(getattr(config, section), listeners=left)})
    return config


def _problem(config: Config, wanted: _Wanted, error: CannotListen) -> Problem:
    return Problem(Where(config.source or "configuration"), wanted[error.name][0], str(error))
