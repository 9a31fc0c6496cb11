"""The mailboxes of section deliver, put together from the configuration: the same for the daemon's LMTP and for the command."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from sesmail.assembly.stores import clients
from sesmail.config.delivering import CATCH_ALL, DeliverMailbox
from sesmail.config.stores import default_store
from sesmail.config.table import Config
from sesmail.delivery.boxes import StoreOf
from sesmail.delivery.deposit import Box, Deposits, Rest, Seal
from sesmail.interfaces import StorePlace

if TYPE_CHECKING:
    from sesmail.aws.kms import Kms


def deposits(config: Config, rest: Rest, store_of: StoreOf, *, tell: Callable[[str], object] = lambda words: None) -> Deposits:
    """`rest` is for those who have no mailbox there; `tell` hears what is stored."""
    given = config.deliver
    seal_for = _sealing(config)
    boxes: dict[str, Box] = {}
    for one in given.mailboxes:
        place = store_place(config, one)
        boxes.setdefault(one.address, Box(place, one.prefix, given.times == "utc", seal_for(one, place)))
    return Deposits(
        boxes,
        rest,
        store_of,
        catch_all=boxes.pop(CATCH_ALL, None),
        everybody=given.catch_all == "unknown",
        now=time.time,
        token=token,
        tell=tell,
    )


def token() -> str:
    """A queue id for a message that nobody has given one."""
    return os.urandom(16).hex()


def _sealing(config: Config) -> Callable[[DeliverMailbox, StorePlace], Seal | None]:
    @cache
    def asked() -> Kms:
        # Cryptography is large, and few need it.
        from sesmail.assembly.unsealing import kms

        return kms(config, clients(config))

    def seal_for(one: DeliverMailbox, place: StorePlace) -> Seal | None:
        if one.kms_key is None:
            return None
        from sesmail.storage.sealed import SealingKey, seal

        key = SealingKey(one.kms_key, partial(asked().generate, place), one.wrap)
        return lambda message: seal(message, key)

    return seal_for


def store_place(config: Config, one: DeliverMailbox) -> StorePlace:
    """The store of a mailbox of section deliver."""
    place = replace(default_store(config), url=one.url or config.storage.url)
    if place.url.startswith("file:"):
        return StorePlace(place.url)
    given = config.deliver
    return replace(place, region=given.region or place.region, endpoint=given.endpoint or place.endpoint)
