"""Make checkers by name: our own from a table, a third party's through Twisted's plugins.

A third party ships a module in ``twisted/plugins/`` (without an ``__init__.py``) that holds an object providing
`ICheckerPlugin`, and the configuration names it in ``auth.checkers``. Plugins are looked for only when it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.endpoints import clientFromString
from twisted.plugin import getPlugins
from zope.interface import Attribute, Interface

from sesmail.auth.bearer import TokenChecker
from sesmail.auth.domains import Domains, Load
from sesmail.auth.dovecot import DovecotChecker
from sesmail.auth.grants import PlaceAt
from sesmail.auth.httpbasic import HTTPChecker
from sesmail.auth.names import Names
from sesmail.auth.passwd import EditableOf, PasswdChecker, PasswdFileChecker, PlaceOf
from sesmail.auth.run import Run
from sesmail.auth.static import StaticChecker, StaticUser


@dataclass(frozen=True)
class Settings:
    """What the built-in checkers are told by the configuration, under the same names."""

    users: tuple[StaticUser, ...] = ()
    passwd_cache: float = 30.0
    upgrade: bool = False
    jwt_secret: str = field(default="", repr=False)
    jwt_max_age: float | None = None
    http_url: str = ""
    dovecot: str = ""


@dataclass(frozen=True)
class Tools:
    """What a checker may need of the gateway.

    `names` folds and refuses login names. `load` reads a domain's password file, `load_all` the one for everybody, and `editable`
    changes either. `place_of` says where an address's mail lies, `place_at` where granted mail does. `run` runs what takes long.
    `now` is a monotonic clock in seconds, `unix_time` the other one.
    """

    names: Names
    load: Load
    load_all: Load
    editable: EditableOf
    place_of: PlaceOf
    place_at: PlaceAt
    run: Run
    now: Callable[[], float]
    unix_time: Callable[[], float]
    reactor: Any
    settings: Settings = Settings()


class ICheckerPlugin(Interface):
    """Makes a checker that configurations can name."""

    name = Attribute("The word in ``auth.checkers``, a str; none of the built-in ones.")

    def make(tools: Tools) -> ICredentialsChecker:  # noqa: N805
        """Called once at start. Must not block or touch the network.

        The checker's requestAvatarId gives a `sesmail.interfaces.Account`, now or by Deferred. It raises
        `sesmail.auth.names.UnknownUser` for a login that is not its own, `sesmail.errors.BadLogin` for a wrong password
        and `sesmail.errors.Unavailable` when it could not find out. If it has a method `close`, that is called at the end.
        """


def _static(tools: Tools) -> ICredentialsChecker:
    return StaticChecker(tools.names, tools.settings.users)


def _passwd(tools: Tools) -> ICredentialsChecker:
    domains = Domains(tools.load, tools.settings.passwd_cache, tools.now, run=tools.run)
    editable = tools.editable if tools.settings.upgrade else None
    return PasswdChecker(tools.names, domains, tools.place_of, tools.run, editable=editable)


def _passwd_file(tools: Tools) -> ICredentialsChecker:
    domains = Domains(tools.load_all, tools.settings.passwd_cache, tools.now, run=tools.run)
    editable = tools.editable if tools.settings.upgrade else None
    return PasswdFileChecker(tools.names, domains, tools.place_of, tools.run, editable=editable)


def _jwt(tools: Tools) -> ICredentialsChecker:
    settings = tools.settings
    return TokenChecker(settings.jwt_secret, tools.names, tools.place_at, tools.unix_time, max_age=settings.jwt_max_age)


def _http(tools: Tools) -> ICredentialsChecker:
    return HTTPChecker(tools.settings.http_url, tools.names, tools.place_at, tools.reactor)


def _dovecot(tools: Tools) -> ICredentialsChecker:
    endpoint = clientFromString(tools.reactor, tools.settings.dovecot)
    return DovecotChecker(endpoint, tools.names, tools.place_of, tools.reactor)


BUILT_IN: Mapping[str, Callable[[Tools], ICredentialsChecker]] = {
    "static": _static,
    "passwd": _passwd,
    "passwd-file": _passwd_file,
    "jwt": _jwt,
    "http": _http,
    "dovecot": _dovecot,
}


def checkers(wanted: Iterable[str], tools: Tools) -> dict[str, ICredentialsChecker]:
    """The checkers of these names, in this order, but tokens first, whose keys no other checker may see. Raises LookupError with
    the name that nobody knows."""
    return {name: _maker(name)(tools) for name in sorted(wanted, key=lambda name: name != "jwt")}


def _maker(name: str) -> Callable[[Tools], ICredentialsChecker]:
    if name in BUILT_IN:
        return BUILT_IN[name]
    for plugin in getPlugins(ICheckerPlugin):
        if plugin.name == name:
            make: Callable[[Tools], ICredentialsChecker] = plugin.make
            return make
    raise LookupError(name)
