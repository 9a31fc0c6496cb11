"""The storage rooms put together from the configuration: where mail lies, how it is read, how it is removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from sesmail.assembly.stores import StoreOf, places
from sesmail.aws.kms import Kms
from sesmail.aws.sessions import Clients
from sesmail.config.stores import default_store
from sesmail.config.table import Config
from sesmail.interfaces import StorePlace
from sesmail.service.workers import Workers
from sesmail.storage.datakeys import DataKeys
from sesmail.storage.lock import Lock
from sesmail.storage.maildrop import Maildrops
from sesmail.storage.passwdkeys import PasswdKeys
from sesmail.storage.read.ahead import Window
from sesmail.storage.read.budget import Budget
from sesmail.storage.read.pools import Pools
from sesmail.storage.read.readers import Readers
from sesmail.storage.read.unsealed import Unsealed
from sesmail.storage.read.unwrapping import Unwrapping
from sesmail.storage.store import Remove


def readers(config: Config, reactor: Any, workers: Workers, reached: Clients, unsealed: Unsealed | None = None) -> Readers:
    """The read path; `unsealed` as Readers has it."""
    storage = config.storage
    return Readers(
        reactor,
        workers.run,
        reached,
        connections=storage.connections,
        connect_timeout=storage.connect_timeout,
        read_timeout=storage.read_timeout,
        attempts=storage.attempts,
        unsealed=unsealed,
    )


def unsealed(config: Config, reactor: Any, workers: Workers, asked: Kms, keys: DataKeys) -> Unsealed:
    """Opens sealed messages, large ones in the pool `workers`."""
    storage = config.storage
    pools = Pools(
        reactor,
        connections=config.sealed.workers,
        connect_timeout=storage.connect_timeout,
        read_timeout=storage.read_timeout,
    )
    return Unsealed(Unwrapping(reactor, workers.run, asked, pools), keys, workers.run, cbc=config.sealed.cbc)


def maildrops(
    config: Config, reactor: IReactorTime, read: Readers, workers: Workers, store_of: StoreOf, lock: Lock
) -> Maildrops:
    """Opens the maildrops of all stores within one budget of memory; removes messages in the pool `workers`."""
    ahead, expire = config.read_ahead, config.pop3.expire_days
    budget = Budget(ahead.session_bytes, ahead.total_bytes, ahead.messages, reactor)
    return Maildrops(
        read.reader,
        removals(workers, store_of),
        lock,
        window=partial(Window, budget),
        pause=lambda: deferLater(reactor, 0),
        now=reactor.seconds,
        expire_days=expire if isinstance(expire, int) else None,
        passwd=passwd_keys(config),
    )


def passwd_keys(config: Config) -> PasswdKeys:
    """The password files that lie in stores."""
    return PasswdKeys([*places(config).passwd_templates(), *_common_passwd(config)])


def _common_passwd(config: Config) -> list[tuple[StorePlace, str]]:
    """Where the password file for everybody lies, if that is in the store."""
    store, file = default_store(config), config.auth.passwd_file
    if file is not None and file.startswith("/"):
        root = unquote(urlsplit(store.url).path) if store.url.startswith("file:") else ""
        file = file.removeprefix(f"{root.rstrip('/')}/") if root and file.startswith(f"{root.rstrip('/')}/") else None
    return [] if file is None else [(store, file.replace("%", "%%"))]


def removals(workers: Workers, store_of: StoreOf) -> Callable[[StorePlace], Remove]:
    """How messages are removed from a store: by blocking code, in the pool `workers`."""

    def delete(place: StorePlace, keys: Sequence[str]) -> dict[str, str]:
        return store_of(place).delete(keys)

    def remove_for(place: StorePlace) -> Remove:
        async def remove(keys: Sequence[str]) -> dict[str, str]:
            return await workers.run(delete, place, keys)

        return remove

    return remove_for
