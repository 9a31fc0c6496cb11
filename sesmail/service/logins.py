"""The auth room put together from the configuration: checkers, and a portal whose realm opens maildrops."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.mail.pop3 import IMailbox
from zope.interface.interface import InterfaceClass

from sesmail.assembly.residents import names
from sesmail.assembly.stores import parts
from sesmail.auth import plugins
from sesmail.auth.chain import FirstOf
from sesmail.auth.grants import Grant, PlaceAt
from sesmail.auth.logindelay import Delayed
from sesmail.auth.names import fold
from sesmail.auth.plugins import Settings, Tools
from sesmail.auth.realm import Factory, Logout, Realm
from sesmail.auth.static import StaticUser
from sesmail.auth.throttle import ThrottledPortal
from sesmail.aws.sessions import check
from sesmail.config.table import Config, User
from sesmail.interfaces import Account, Client, Place, StorePlace
from sesmail.protocols.pop3.mailbox import PopMailbox
from sesmail.service.passwdfiles import PasswdFiles
from sesmail.service.shared import Shared
from sesmail.service.workers import Workers
from sesmail.storage.keys import Places
from sesmail.storage.maildrop import Maildrops
from sesmail.storage.read.readers import Readers

# Longer than any checker takes for an answer.
LAST_LOGINS = 60.0


def checkers(
    config: Config, reactor: Any, where: Places, files: PasswdFiles, read: Readers, workers: Workers
) -> dict[str, ICredentialsChecker]:
    """The configured checkers, in the order in which they are asked. Raises LookupError with the name that nobody knows."""
    tools = Tools(
        names=names(config),
        load=files.loads(read),
        load_all=files.loads_common(read, workers.run),
        editable=files.editable,
        place_of=where.place,
        place_at=place_at(config),
        run=workers.run,
        now=reactor.seconds,
        unix_time=time.time,
        reactor=reactor,
        settings=_settings(config, where),
    )
    return plugins.checkers(config.auth.checkers, tools)


def portal(
    config: Config,
    factories: Mapping[InterfaceClass, Factory],
    asked: Mapping[str, ICredentialsChecker],
    shared: Shared,
) -> ThrottledPortal:
    """The one portal of all protocols, behind the throttle. `factories` make what each of them asks for."""
    delays: dict[InterfaceClass, Delayed] = {}
    if shared.login_delay is not None:
        delays[IMailbox] = shared.login_delay
    realm = Realm(factories, delays)
    return ThrottledPortal(realm, [FirstOf(asked.values())], shared.throttle, names(config))


def place_at(config: Config) -> PlaceAt:
    """Where granted mail lies: at the endpoint of the configuration, whatever bucket and keys are granted."""
    storage = config.storage

    def place(grant: Grant) -> Place:
        region = grant.region or storage.region
        url = f"s3://{grant.bucket}"
        store = StorePlace(url, region=region, endpoint=storage.endpoint, addressing=storage.addressing, keys=grant.keys)
        check(store)
        return Place(store, grant.prefix, config.mailboxes.nested, sealed=config.mailboxes.sealed)

    return place


def pop3_mailbox(opened: Maildrops) -> Factory:
    """What a POP3 session gets of its account."""

    async def mailbox(account: Account, client: Client) -> tuple[PopMailbox, Logout]:
        maildrop = await opened.open(account.place, client)
        return PopMailbox(maildrop), maildrop.close

    return mailbox


class Closing(Service):
    """Closes the connections of checkers when the service stops, and those of checkers that others replace some time after that."""

    def __init__(self, asked: Iterable[ICredentialsChecker], clock: IReactorTime) -> None:
        self._asked = tuple(asked)
        self._clock = clock
        self._later: dict[IDelayedCall, tuple[ICredentialsChecker, ...]] = {}

    def replace(self, asked: Iterable[ICredentialsChecker]) -> None:
        """These are asked from now on. Logins that those before have begun with get their answers."""
        before, self._asked = self._asked, tuple(asked)

        def end() -> None:
            _closed(self._later.pop(call))

        call = self._clock.callLater(LAST_LOGINS, end)
        self._later[call] = before

    def stopService(self) -> Deferred[object]:
        super().stopService()
        later, self._later = self._later, {}
        for call in later:
            call.cancel()
        return _all(_closed(asked) for asked in (self._asked, *later.values()))


def _closed(asked: Iterable[ICredentialsChecker]) -> Deferred[object]:
    closes = [close for checker in asked if (close := getattr(checker, "close", None)) is not None]
    return _all(maybeDeferred(close) for close in closes)


def _all(closed: Iterable[Deferred[object]]) -> Deferred[object]:
    return gatherResults(list(closed)).addCallback(lambda _: None)


def _settings(config: Config, where: Places) -> Settings:
    auth = config.auth
    return Settings(
        users=static_users(config, where),
        passwd_cache=auth.passwd_cache,
        upgrade=auth.upgrade,
        jwt_secret=auth.jwt_secret or "",
        jwt_max_age=auth.jwt_max_age,
        http_url=auth.http_url or "",
        dovecot=auth.dovecot or "",
    )


def static_users(config: Config, where: Places) -> tuple[StaticUser, ...]:
    """The accounts of auth.users."""
    return tuple(_user(user, config, where) for user in config.auth.users)


def _user(user: User, config: Config, where: Places) -> StaticUser:
    local, domain = parts(user, config)
    address = user.address or (user.name if "@" in user.name else None)
    return StaticUser(user.name, user.password, where.place(local, domain), fold(address) if address else None)
