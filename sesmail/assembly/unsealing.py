"""Sealed mail, opened as the configuration says. Apart from the rest, for the functions of Lambda have no cryptography."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeAlias

from sesmail.assembly.sorting import Receiving, UnsealedOf, receiving
from sesmail.assembly.stores import blocking_stores, clients
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


def data_keys(config: Config, asked: Kms) -> DataKeys:
    """What KMS is asked for, remembered for all who open mail."""
    return DataKeys(asked.decrypt, seconds=config.sealed.key_cache)


def unsealing(config: Config, keys: DataKeys) -> UnsealingOf:
    """How the mail of each store is opened."""
    return lambda place: Unsealing(place, keys, cbc=config.sealed.cbc)


def for_delivery(of: UnsealingOf) -> UnsealedOf:
    """The same for those who deliver."""
    return lambda place: of(place).opened


def receiving_sealed(config: Config, end: ExitStack) -> Receiving:
    """As `receiving`, but sealed mail is brought everywhere."""
    reached = clients(config)
    unsealed_of = for_delivery(unsealing(config, data_keys(config, kms(config, reached))))
    return receiving(config, end, store_of=blocking_stores(reached), unsealed_of=unsealed_of)
