"""The storage rooms put together from the configuration: where mail lies, how it is read, how it is removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from sesmail.aws.sessions import Clients
from sesmail.config.stores import default_store, stores
from sesmail.config.table import Config, User
from sesmail.interfaces import StorePlace
from sesmail.service.workers import Workers
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.keys import Override, Places
from sesmail.storage.lock import Lock
from sesmail.storage.maildrop import Maildrops
from sesmail.storage.passwdkeys import PasswdKeys
from sesmail.storage.read.ahead import Budget, Window
from sesmail.storage.read.readers import Readers
from sesmail.storage.s3 import S3Store
from sesmail.storage.store import Remove, Store

StoreOf = Callable[[StorePlace], Store]

_STORES = 256


def places(config: Config) -> Places:
    """Where each account's mail lies."""
    mailboxes, of = config.mailboxes, stores(config)
    overrides = {
        place.for_: Override(prefix=place.prefix, template=place.template, nested=place.nested, store=of[place.for_])
        for place in mailboxes.places
    }
    for user in config.auth.users:
        _override(overrides, user, config)
    return Places(
        mailboxes.template,
        mailboxes.passwd,
        default_store(config),
        mailboxes.nested,
        overrides,
        mixed_case=mailboxes.mixed_case,
    )


def parts(user: User, config: Config) -> tuple[str, str]:
    """Local part and domain of a configured user; the domain is empty where he has none and none is the default."""
    local, _, domain = user.name.lower().partition("@")
    return local, domain or config.mailboxes.default_domain


def _override(overrides: dict[str, Override], user: User, config: Config) -> None:
    if user.prefix is None and user.nested is None:
        return
    name = "{}@{}".format(*parts(user, config))
    place = overrides.get(name, Override())
    if user.prefix is not None:
        place = replace(place, prefix=user.prefix, template=None)
    if user.nested is not None:
        place = replace(place, nested=user.nested)
    overrides[name] = place


def clients(config: Config) -> Clients:
    """What reaches S3, for the blocking half and for the read path's addresses and credentials."""
    storage = config.storage
    return Clients(connect_timeout=storage.connect_timeout, read_timeout=storage.read_timeout, attempts=storage.attempts)


def readers(config: Config, reactor: Any, workers: Workers, reached: Clients) -> Readers:
    """The read path."""
    storage = config.storage
    return Readers(
        reactor,
        workers.run,
        reached,
        connections=storage.connections,
        connect_timeout=storage.connect_timeout,
        read_timeout=storage.read_timeout,
        attempts=storage.attempts,
    )


def maildrops(
    config: Config, reactor: IReactorTime, read: Readers, workers: Workers, store_of: StoreOf, lock: Lock
) -> Maildrops:
    """Opens the maildrops of all stores within one budget of memory; removes messages in the pool `workers`."""
    ahead, expire = config.read_ahead, config.pop3.expire_days
    budget = Budget(ahead.session_bytes, ahead.total_bytes, ahead.messages)
    return Maildrops(
        read.reader,
        removals(workers, store_of),
        lock,
        window=partial(Window, budget),
        pause=lambda: deferLater(reactor, 0),
        now=reactor.seconds,
        expire_days=expire if isinstance(expire, int) else None,
        passwd=PasswdKeys([*places(config).passwd_templates(), *_common_passwd(config)]),
    )


def _common_passwd(config: Config) -> list[tuple[StorePlace, str]]:
    """Where the password file for everybody lies, if that is in the store."""
    store, file = default_store(config), config.auth.passwd_file
    if file is not None and file.startswith("/"):
        root = unquote(urlsplit(store.url).path) if store.url.startswith("file:") else ""
        file = file.removeprefix(f"{root.rstrip('/')}/") if root and file.startswith(f"{root.rstrip('/')}/") else None
    return [] if file is None else [(store, file.replace("%", "%%"))]


def blocking_stores(reached: Clients) -> StoreOf:
    """Stores for blocking code, to be asked for in a worker: making the client of one takes a tenth of a second."""
    return lru_cache(maxsize=_STORES)(partial(_store, reached))


def removals(workers: Workers, store_of: StoreOf) -> Callable[[StorePlace], Remove]:
    """How messages are removed from a store: by blocking code, in the pool `workers`."""

    def delete(place: StorePlace, keys: Sequence[str]) -> dict[str, str]:
        return store_of(place).delete(keys)

    def remove_for(place: StorePlace) -> Remove:
        async def remove(keys: Sequence[str]) -> dict[str, str]:
            return await workers.run(delete, place, keys)

        return remove

    return remove_for


def _store(reached: Clients, place: StorePlace) -> Store:
    parts = urlsplit(place.url)
    if parts.scheme == "file":
        return DirectoryStore(Path(unquote(parts.path)))
    return S3Store(reached.s3(place), parts.netloc, place.owner)
