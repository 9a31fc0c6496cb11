"""The stores of the configuration, for blocking code: which there are, and where each account's mail lies in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sesmail.aws.sessions import Clients
from sesmail.config.stores import default_store, stores
from sesmail.config.table import Config, User
from sesmail.interfaces import NO_STORE, StorePlace
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.keys import Override, Places
from sesmail.storage.nostore import NoStore
from sesmail.storage.s3 import S3Store
from sesmail.storage.store import Store

StoreOf = Callable[[StorePlace], Store]
"""The store of a place. Raises Unavailable."""

_STORES = 256


def places(config: Config) -> Places:
    """Where each account's mail lies."""
    mailboxes, of = config.mailboxes, stores(config)
    overrides = {
        place.for_: Override(place.prefix, place.template, place.nested, of[place.for_], sealed=place.sealed)
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
        sealed=mailboxes.sealed,
    )


def parts(user: User, config: Config) -> tuple[str, str]:
    """Local part and domain of a configured user; the domain is empty where he has none and none is the default."""
    local, _, domain = user.name.lower().partition("@")
    return local, domain or config.mailboxes.default_domain


def _override(overrides: dict[str, Override], user: User, config: Config) -> None:
    if user.prefix is None and user.nested is None and user.sealed is None:
        return
    name = "{}@{}".format(*parts(user, config))
    place = overrides.get(name, Override())
    if user.prefix is not None:
        place = replace(place, prefix=user.prefix, template=None)
    if user.nested is not None:
        place = replace(place, nested=user.nested)
    if user.sealed is not None:
        place = replace(place, sealed=user.sealed)
    overrides[name] = place


def clients(config: Config) -> Clients:
    """What reaches S3, for the blocking half and for the read path's addresses and credentials."""
    storage = config.storage
    return Clients(connect_timeout=storage.connect_timeout, read_timeout=storage.read_timeout, attempts=storage.attempts)


def blocking_stores(reached: Clients) -> StoreOf:
    """Stores for blocking code, to be asked for in a worker: making the client of one takes a tenth of a second."""
    return lru_cache(maxsize=_STORES)(partial(_store, reached))


def _store(reached: Clients, place: StorePlace) -> Store:
    parts = urlsplit(place.url)
    if place.url == NO_STORE:
        return NoStore()
    if parts.scheme == "file":
        return DirectoryStore(Path(unquote(parts.path)))
    return S3Store(reached.s3(place), parts.netloc, place.owner)


def incoming_store(config: Config) -> StorePlace:
    """The store in which mail arrives: as section storage says, but for the url."""
    return default_store(replace(config, storage=replace(config.storage, url=config.incoming.url or config.storage.url)))
