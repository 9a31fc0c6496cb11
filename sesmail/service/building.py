"""All rooms put together from one configuration."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.portal import Portal
from twisted.mail.pop3 import IMailbox
from zope.interface.interface import InterfaceClass

from sesmail.assembly import stores
from sesmail.assembly.accounts import account_of
from sesmail.assembly.aliasapi import alias_api
from sesmail.assembly.couriers import courier
from sesmail.assembly.sorting import receiving
from sesmail.assembly.unsealing import data_keys, for_delivery, kms, unsealing
from sesmail.auth.chain import FirstOf
from sesmail.auth.realm import Factory
from sesmail.auth.throttle import ThrottledPortal
from sesmail.config.stores import default_store
from sesmail.config.table import Config
from sesmail.protocols.smtp.avatar import ISubmission
from sesmail.service import locks, logins, logs, maildrops
from sesmail.service.collecting import Collecting, collects
from sesmail.service.doors import doors
from sesmail.service.explained import explained
from sesmail.service.firstlook import FirstLook
from sesmail.service.gateway import Gateway
from sesmail.service.listeners import Endpoints, Listener
from sesmail.service.monitor import Monitoring
from sesmail.service.notify import Silent
from sesmail.service.opendoors import Made, OpenDoors
from sesmail.service.openfiles import make_room
from sesmail.service.page import IVisitor, PageService, page_doors, visitor
from sesmail.service.passwdfiles import PasswdFiles
from sesmail.service.people import People
from sesmail.service.presented import Presented
from sesmail.service.pulse import Pulse
from sesmail.service.reception import reception
from sesmail.service.reloading import Load, Reloading, TakeOn, Told
from sesmail.service.sending import Sending, submission
from sesmail.service.serving import Served
from sesmail.service.shared import Shared, alone
from sesmail.service.snsdoor import SnsService, sns_doors
from sesmail.service.summaries import Summaries, settings
from sesmail.service.workers import Workers
from sesmail.storage.bucketlock import BucketLock
from sesmail.storage.maildrop import Maildrops

_log = logging.getLogger(__name__)

READ_THREADS = 16
# Descriptors beside connections: libraries, blocking clients, files of a directory store, some for luck.
OTHER_FILES = 256


def build(config: Config, reactor: Any, load: Load, shared: Shared | None = None, told: Told | None = None) -> Gateway:
    """The service for this configuration, not yet started, which reads it again by `load`; without `shared` it is alone.
    Makes state_dir, and a self-signed certificate where one is to be made. Raises ConfigError for what only shows now: certificates, endpoints, checkers."""
    logs.join(config.log.level, config.log.format)
    for warning in config.warnings:
        _log.warning("%s", warning)
    with explained(config):
        gateway = _built(config, reactor, load, shared or alone(config, reactor), told or Silent())
        # What is imported by now stays for ever. Left to the garbage collector, each of its full passes (a large listing
        # brings one about) would look through all of it and hold the reactor for some 30 ms.
        gc.collect()
        gc.freeze()
        return gateway


def plan(config: Config, reactor: Any, endpoints: Endpoints) -> None:
    """Find out what `build` would, and run nothing: `endpoints` is asked for those of all listeners. Raises ConfigError."""
    with explained(config):
        _built(config, reactor, lambda: config, replace(alone(config, reactor), endpoints=endpoints), Silent())


def _built(config: Config, reactor: Any, load: Load, shared: Shared, told: Told) -> Gateway:
    make_room(_files(config))
    _make_embedded_store(config)
    house = _House(config, reactor, shared)
    portal = house.portal({IMailbox: logins.pop3_mailbox(house.maildrops), IVisitor: visitor, **house.sending()})
    house.listen(portal)
    if shared.first:
        house.show(portal)
        house.collect()
    house.watch()
    house.reload(load, portal, told)
    return house.gateway


def _files(config: Config) -> int:
    # A session that sends mail has a file open beside its connection.
    sessions = config.limits.connections * (2 if config.submission.listeners or config.lmtp.listeners else 1)
    others = config.limits.connections * sum(bool(one) for one in (config.sns.listeners, config.page.listeners))
    return sessions + others + config.storage.connections + OTHER_FILES


class _House:
    """What the parts of a gateway share, and the parts that are made of it. Everything that runs goes into `gateway`."""

    def __init__(self, config: Config, reactor: Any, shared: Shared) -> None:
        self._config = config
        self._reactor = reactor
        self._shared = shared
        waiting = config.limits.connections
        self._workers = Workers(reactor, "logins", config.service.login_workers, waiting)
        # What a session reads ahead waits here too.
        reading = Workers(reactor, "reading", READ_THREADS, waiting * (config.read_ahead.messages + 2))
        opening = Workers(reactor, "unsealing", config.sealed.workers, waiting * (config.read_ahead.messages + 2))
        reached = stores.clients(config)
        asked = kms(config, reached)
        keys = data_keys(config, asked)
        unsealed = maildrops.unsealed(config, reactor, opening, asked, keys)
        self._readers = maildrops.readers(config, reactor, reading, reached, unsealed)
        self._store_of = stores.blocking_stores(reached)
        self._end = ExitStack()
        opens = for_delivery(unsealing(config, keys))
        self._mail = receiving(config, self._end, store_of=self._store_of, unsealed_of=opens, pace=shared.pace)
        self.gateway = Gateway(self._readers, config.service.drain, reactor)
        for workers in (self._workers, reading, opening):
            workers.setServiceParent(self.gateway)
        if shared.first and config.aliases.table == "dynamodb" and self._mail.aliases is not None:
            FirstLook(config, reactor, self._mail.aliases).setServiceParent(self.gateway)
        self.maildrops = self._maildrops()
        self._makes: list[Made] = []
        self._certificates = Presented(config, reactor)
        self._certificates.setServiceParent(self.gateway)

    def _maildrops(self) -> Maildrops:
        lock = locks.lock(self._config, self._reactor, self._workers, self._store_of, self._shared)
        if isinstance(lock, BucketLock):
            locks.TryOut(lock, locks.to_try_out(self._config)).setServiceParent(self.gateway)
        return maildrops.maildrops(self._config, self._reactor, self._readers, self._workers, self._store_of, lock)

    def sending(self) -> dict[InterfaceClass, Factory]:
        """What a submission session is given; nothing where nobody submits."""
        if not self._config.submission.listeners:
            return {}
        deliver = self._mail.local.deliver
        carrier = courier(self._config, deliver, self._mail.outward)
        sending = Sending(self._config, self._reactor, carrier, deliver, self._end.close, self._shared)
        sending.setServiceParent(self.gateway)
        self.gateway.sending = sending
        people = People(self._mail.routing, self._mail.senders, self._workers)
        return {ISubmission: submission(self._config, self._reactor, sending, people, self._shared.hourly)}

    def portal(self, factories: dict[InterfaceClass, Factory]) -> ThrottledPortal:
        """Who may log in, and what he is given then."""
        asked = self._checkers(self._config)
        self._closing = logins.Closing(asked.values(), self._reactor)
        self._closing.setServiceParent(self.gateway)
        return logins.portal(self._config, factories, asked, self._shared)

    def _checkers(self, config: Config) -> dict[str, ICredentialsChecker]:
        where = stores.places(config)
        files = PasswdFiles(where, default_store(config), config.auth.passwd_file, self._store_of)
        return logins.checkers(config, self._reactor, where, files, self._readers, self._workers)

    def _serve(self, make: Made) -> None:
        """Listen where these doors are, and where they are after a reload."""
        self._makes.append(make)
        for listener, served in make(self._config):
            self.gateway.listen(listener, served)

    def _made(self, config: Config) -> Iterator[tuple[Listener, Served]]:
        with explained(config):
            for make in self._makes:
                yield from make(config)

    def reload(self, load: Load, portal: ThrottledPortal, told: Told) -> None:
        """What a hangup has read again."""

        async def addresses(config: Config) -> TakeOn:
            return await self._workers.run(self._mail.prepare, config)

        async def who(config: Config) -> TakeOn:
            with explained(config):
                asked = self._checkers(config)

            def take_on() -> None:
                portal.ask(FirstOf(asked.values()))
                self._closing.replace(asked.values())
                self.maildrops.hide(maildrops.passwd_keys(config))

            return take_on

        # Doors come last: whoever connects finds all the rest in place, and what was opened stays open.
        doors_last = OpenDoors(self.gateway, self._config, self._made).prepare
        parts = [addresses, who, self._certificates.prepare, logs.prepare, self._monitoring.prepare, doors_last]
        reloading = Reloading(self._config, self._reactor, load, parts, told)
        reloading.setServiceParent(self.gateway)
        self.gateway.reload = reloading.begin

    def listen(self, portal: Portal) -> None:
        """Every listener of the configuration."""
        taker = None
        if self._config.lmtp.listeners:
            taker, taking = reception(self._config, self._reactor, self._mail.routing, self._mail.local.deliver)
            taking.setServiceParent(self.gateway)
        self._serve(
            lambda config: doors(
                config, self._reactor, portal, self._certificates.store, self._shared.connections, taker, self._shared.endpoints
            )
        )
        if self._config.sns.listeners and self._shared.first:
            sns = SnsService(self._config, self._reactor, self._mail.intake)
            sns.setServiceParent(self.gateway)
            self._serve(
                lambda config: sns_doors(config, self._reactor, sns.door, self._certificates.store, self._shared.endpoints)
            )

    def show(self, portal: Portal) -> None:
        """The page, and the API where there is a table of aliases."""
        config, reactor = self._config, self._reactor
        if not config.page.listeners:
            return
        table = self._mail.aliases
        account = account_of(config, self._mail.accounts)
        api = alias_api(config, table, self._mail.people, account) if table is not None else None
        summaries = Summaries(self.maildrops.figures, reactor.seconds, settings(config))
        page = PageService(config, reactor, portal, summaries, api, account)
        page.setServiceParent(self.gateway)
        self._serve(lambda config: page_doors(config, reactor, page, self._certificates.store, self._shared.endpoints))

    def collect(self) -> None:
        """Mail that comes in, where there is a queue or a sweep."""
        if collects(self._config):
            self.gateway.collecting = Collecting(self._config, self._reactor, self._mail)
            self.gateway.collecting.setServiceParent(self.gateway)

    def watch(self) -> None:
        """Figures, and the doors at which they are asked for."""
        Pulse(self._reactor).setServiceParent(self.gateway)
        self._monitoring = Monitoring(self._config, self._reactor, self._store_of)
        self._monitoring.setServiceParent(self.gateway)
        self._serve(lambda config: self._monitoring.doors(config, self._certificates.store))


def _make_embedded_store(config: Config) -> None:
    # Any other directory must be there already: a disk that is not mounted must not look like an empty store.
    root = Path(config.service.state_dir) / "mail"
    if config.storage.url == f"file://{root}":
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
