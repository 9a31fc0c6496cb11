"""The gateway: all rooms put together from one configuration, started and stopped in order."""

from __future__ import annotations

import gc
import itertools
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.mail.pop3 import IMailbox
from zope.interface.interface import InterfaceClass

from sesmail.assembly import stores
from sesmail.assembly.couriers import courier
from sesmail.assembly.sorting import receiving
from sesmail.auth.realm import Factory
from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.config.stores import default_store
from sesmail.config.table import Config
from sesmail.delivery.intake import Intake
from sesmail.errors import MailError
from sesmail.protocols.smtp.avatar import ISubmission
from sesmail.service import locks, logins, logs, maildrops
from sesmail.service.certificates import CertificateStore
from sesmail.service.collecting import Collecting, collects
from sesmail.service.doors import doors
from sesmail.service.hangup import Hangup
from sesmail.service.keypair import BadCertificate, Pair
from sesmail.service.listeners import BadEndpoint, Listener
from sesmail.service.openfiles import make_room
from sesmail.service.passwdfiles import PasswdFiles
from sesmail.service.people import People
from sesmail.service.reception import reception
from sesmail.service.selfsigned import self_signed
from sesmail.service.sending import Sending, submission
from sesmail.service.snsdoor import SnsService, sns_doors
from sesmail.service.workers import Workers
from sesmail.storage.bucketlock import BucketLock
from sesmail.storage.read.readers import Readers

_log = logging.getLogger(__name__)

READ_THREADS = 16
# Seconds that attempts to send have at least, when sessions took all the time there was.
LEAST_DRAIN = 1.0
# Descriptors beside connections: libraries, blocking clients, files of a directory store, some for luck.
OTHER_FILES = 256


class Served(Protocol):
    """What a listener serves: a factory that can end what it has begun."""

    async def drain(self, seconds: float) -> None: ...


class Gateway(MultiService):
    """The running service. A stop first closes the ports, then lets transfers finish for `drain` seconds, then all the rest."""

    def __init__(self, readers: Readers, drain: float, clock: IReactorTime) -> None:
        super().__init__()
        self._readers = readers
        self._drain = drain
        self._clock = clock
        self.listeners: list[Listener] = []
        self.factories: list[Served] = []
        self.sending: Sending | None = None
        """Carries mail on while the service runs, and when sessions have ended for what is left of `drain`."""
        self.collecting: Collecting | None = None
        """Collects mail that comes in while the service runs; it ends together with the sessions."""

    def listen(self, listener: Listener, factory: Served) -> None:
        """Serve `factory` on `listener` while the service runs."""
        listener.setServiceParent(self)
        self.listeners.append(listener)
        self.factories.append(factory)

    def stopService(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        _log.info("stopping: no new connections, transfers have %g seconds", self._drain)
        until = self._clock.seconds() + self._drain
        await gatherResults([listener.stopService() for listener in self.listeners])
        ending = [factory.drain(self._drain) for factory in self.factories]
        if self.collecting is not None:
            ending.append(self.collecting.drain(max(LEAST_DRAIN, self._drain)))
        await gatherResults([Deferred.fromCoroutine(one) for one in ending])
        if self.sending is not None:
            await self.sending.drain(max(LEAST_DRAIN, until - self._clock.seconds()))
        await super().stopService()
        await self._readers.close()
        _log.info("stopped")


def build(config: Config, reactor: Any) -> Gateway:
    """The service for this configuration, not yet started. Makes state_dir, and a self-signed certificate where one is to be
    made. Raises ConfigError for what only shows now: certificates, endpoints, checkers."""
    logs.join(config.log.level)
    for warning in config.warnings:
        _log.warning("%s", warning)
    try:
        gateway = _built(config, reactor)
        # What is imported by now stays for ever. Left to the garbage collector, each of its full passes (a large listing
        # brings one about) would look through all of it and hold the reactor for some 30 ms.
        gc.collect()
        gc.freeze()
        return gateway
    except LookupError as error:
        raise _problem(config, "auth.checkers", f"there is no checker {error}") from error
    except BadCertificate as error:
        raise _problem(config, "tls.certificates", str(error)) from error
    except BadEndpoint as error:
        raise _problem(config, error.option, str(error)) from error
    except MailError as error:
        raise _problem(config, "", str(error)) from error
    except OSError as error:
        raise _problem(config, "service.state_dir", f"{error.filename}: {error.strerror}") from error


def _problem(config: Config, key: str, message: str) -> ConfigError:
    return ConfigError([Problem(Where(config.source or "configuration"), key, message)])


def _built(config: Config, reactor: Any) -> Gateway:
    # A session that sends mail has a file open beside its connection.
    sessions = config.limits.connections * (2 if config.submission.listeners or config.lmtp.listeners else 1)
    sns = config.limits.connections if config.sns.listeners else 0
    make_room(sessions + sns + config.storage.connections + OTHER_FILES)
    _make_embedded_store(config)
    waiting = config.limits.connections
    login_workers = Workers(reactor, "logins", config.service.login_workers, waiting)
    # What a session reads ahead waits here too.
    read_workers = Workers(reactor, "reading", READ_THREADS, waiting * (config.read_ahead.messages + 2))
    reached = stores.clients(config)
    readers = maildrops.readers(config, reactor, read_workers, reached)
    places = stores.places(config)
    store_of = stores.blocking_stores(reached)
    lock = locks.lock(config, reactor, login_workers, store_of)
    opened = maildrops.maildrops(config, reactor, readers, login_workers, store_of, lock)
    files = PasswdFiles(places, default_store(config), config.auth.passwd_file, store_of)
    checkers = logins.checkers(config, reactor, places, files, readers, login_workers)
    factories: dict[InterfaceClass, Factory] = {IMailbox: logins.pop3_mailbox(opened)}
    gateway = Gateway(readers, config.service.drain, reactor)
    end = ExitStack()
    mail = receiving(config, end, store_of=store_of)
    if config.submission.listeners:
        deliver = mail.local.deliver
        gateway.sending = Sending(config, reactor, courier(config, deliver, mail.outward), deliver, end.close)
        gateway.sending.setServiceParent(gateway)
        people = People(mail.routing, mail.senders, login_workers)
        factories[ISubmission] = submission(config, reactor, gateway.sending, people)
    portal = logins.portal(config, reactor, factories, checkers)
    logins.Closing(checkers.values()).setServiceParent(gateway)
    for workers in (login_workers, read_workers):
        workers.setServiceParent(gateway)
    if isinstance(lock, BucketLock):
        locks.TryOut(lock, locks.to_try_out(config)).setServiceParent(gateway)
    store = _certificates(gateway, config, reactor)
    again = [store.reload] if store else []
    if mail.reload is not None:
        again.append(_in_worker(login_workers, mail.reload))
    # Without anything to load a hangup must not end the process either.
    Hangup(reactor, again).setServiceParent(gateway)
    taker = None
    if config.lmtp.listeners:
        taker, taking = reception(config, reactor, mail.routing, mail.local.deliver)
        taking.setServiceParent(gateway)
    for listener, factory in doors(config, reactor, portal, store, taker):
        gateway.listen(listener, factory)
    _answer_sns(gateway, config, reactor, mail.intake, store)
    if collects(config):
        gateway.collecting = Collecting(config, reactor, mail)
        gateway.collecting.setServiceParent(gateway)
    return gateway


def _answer_sns(gateway: Gateway, config: Config, reactor: Any, intake: Intake, store: CertificateStore | None) -> None:
    if config.sns.listeners:
        sns = SnsService(config, reactor, intake)
        sns.setServiceParent(gateway)
        for listener, site in sns_doors(config, reactor, sns.door, store):
            gateway.listen(listener, site)


def _in_worker(workers: Workers, reload: Callable[[], None]) -> Callable[[], None]:
    def begin() -> None:
        reloaded = Deferred.fromCoroutine(workers.run(reload))
        reloaded.addErrback(lambda failure: _log.error("the table of aliases stays as it was: %s", failure.value))

    return begin


def _make_embedded_store(config: Config) -> None:
    # Any other directory must be there already: a disk that is not mounted must not look like an empty store.
    root = Path(config.service.state_dir) / "mail"
    if config.storage.url == f"file://{root}":
        root.mkdir(parents=True, exist_ok=True, mode=0o700)


def _certificates(gateway: Gateway, config: Config, reactor: Any) -> CertificateStore | None:
    if all(listener.tls == "none" for listener in itertools.chain(*config.listeners.values())):
        return None
    store = CertificateStore(_pairs(config), _today)
    watch = TimerService(config.tls.reload_seconds, store.refresh)
    watch.clock = reactor
    watch.setServiceParent(gateway)
    return store


def _pairs(config: Config) -> Sequence[Pair]:
    given = [Pair(Path(one.certificate), Path(one.key)) for one in config.tls.certificates]
    return given or [self_signed(Path(config.service.state_dir), socket.gethostname(), _today())]


def _today() -> datetime:
    return datetime.now(UTC)
