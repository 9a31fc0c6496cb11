"""Make checkers by name: our own from a table, a third party's through Twisted's plugins.

A third party ships a module in ``twisted/plugins/`` (without an ``__init__.py``) that holds an object providing
`ICheckerPlugin`, and the configuration names it in ``auth.checkers``. Plugins are looked for only when it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from twisted.cred.checkers import ICredentialsChecker
from twisted.plugin import getPlugins
from zope.interface import Attribute, Interface

from sesmail.auth.domains import Domains, Load
from sesmail.auth.names import Names
from sesmail.auth.passwd import PasswdChecker, PlaceOf
from sesmail.auth.run import Run
from sesmail.auth.static import StaticChecker, StaticUser


@dataclass(frozen=True)
class Tools:
    """What a checker may need of the gateway.

    `names` folds and refuses login names. `load` reads a domain's passwd.txt. `place_of` says where an address's mail
    lies. `run` runs what takes long. `now` is a monotonic clock in seconds.
    """

    names: Names
    load: Load
    place_of: PlaceOf
    run: Run
    now: Callable[[], float]
    users: tuple[StaticUser, ...] = ()
    passwd_cache: float = 30.0


class ICheckerPlugin(Interface):
    """Makes a checker that configurations can name."""

    name = Attribute("The word in ``auth.checkers``, a str. Neither ``static`` nor ``passwd``.")

    def make(tools: Tools) -> ICredentialsChecker:  # noqa: N805
        """Called once at start. Must not block or touch the network.

        The checker's requestAvatarId gives a `sesmail.interfaces.Account`, now or by Deferred. It raises
        `sesmail.auth.names.UnknownUser` for a login that is not its own, `sesmail.errors.BadLogin` for a wrong password
        and `sesmail.errors.Unavailable` when it could not find out.
        """


def _static(tools: Tools) -> ICredentialsChecker:
    return StaticChecker(tools.names, tools.users)


def _passwd(tools: Tools) -> ICredentialsChecker:
    domains = Domains(tools.load, tools.passwd_cache, tools.now)
    return PasswdChecker(tools.names, domains, tools.place_of, tools.run)


BUILT_IN: Mapping[str, Callable[[Tools], ICredentialsChecker]] = {"static": _static, "passwd": _passwd}


def checkers(wanted: Iterable[str], tools: Tools) -> list[ICredentialsChecker]:
    """The checkers of these names, in this order. Raises LookupError with the name that nobody knows."""
    return [_maker(name)(tools) for name in wanted]


def _maker(name: str) -> Callable[[Tools], ICredentialsChecker]:
    if name in BUILT_IN:
        return BUILT_IN[name]
    for plugin in getPlugins(ICheckerPlugin):
        if plugin.name == name:
            make: Callable[[Tools], ICredentialsChecker] = plugin.make
            return make
    raise LookupError(name)
