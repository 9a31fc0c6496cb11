"""Sealed mail, opened as the configuration says. Apart from the rest, for the functions of Lambda have no cryptography."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sesmail.aws.kms import Kms
from sesmail.aws.sessions import Clients
from sesmail.config.table import Config
from sesmail.interfaces import StorePlace
from sesmail.storage.datakeys import DataKeys
from sesmail.storage.unsealing import Unsealing

UnsealingOf: TypeAlias = Callable[[StorePlace], Unsealing]


def kms(config: Config, reached: Clients) -> Kms:
    """KMS, asked as whoever reads a store."""
    given, storage = config.sealed, config.storage
    return Kms(
        reached,
        region=given.region,
        endpoint=given.endpoint,
        connect_timeout=storage.connect_timeout,
        read_timeout=storage.read_timeout,
        attempts=storage.attempts,
    )


def unsealing(config: Config, reached: Clients) -> UnsealingOf:
    """How the mail of each store is opened. All share one cache of keys."""
    keys = DataKeys(kms(config, reached).decrypt, seconds=config.sealed.key_cache)
    return lambda place: Unsealing(place, keys, cbc=config.sealed.cbc)
