"""The exclusive right to a maildrop, as the configuration wants it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime

from sesmail.config.stores import default_store, prefix_of, store_of
from sesmail.config.table import Config
from sesmail.errors import Unavailable
from sesmail.interfaces import NO_STORE, StorePlace
from sesmail.service.shared import Shared
from sesmail.service.workers import Workers
from sesmail.storage.bucketlock import BucketLock, Later, Run
from sesmail.storage.keys import probe_key
from sesmail.storage.lock import Lock, NoLock
from sesmail.storage.store import Store

P = ParamSpec("P")
T = TypeVar("T")

# People wait for a lease when they log in and when they leave, and it is courtesy only.
PATIENCE = 10.0


def lock(config: Config, reactor: IReactorTime, workers: Workers, of: Callable[[StorePlace], Store], shared: Shared) -> Lock:
    """Leases are taken in the pool `workers`."""
    mailboxes = config.mailboxes
    if mailboxes.lock == "none":
        return NoLock()
    if mailboxes.lock == "process":
        return shared.lock
    run, wait = patient(workers, reactor), later(reactor)
    return BucketLock(shared.lock, of, run, wait, seconds=mailboxes.lock_lease, gateway=shared.gateway)


def patient(workers: Workers, clock: IReactorTime, seconds: float = PATIENCE) -> Run:
    """Runs functions in the pool, but waits for each only so long: then Unavailable is raised and the function goes on alone."""

    async def run(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        work = Deferred.fromCoroutine(workers.run(function, *args, **kwargs))
        try:
            return await work.addTimeout(seconds, clock)
        except DeferredTimeout:
            raise Unavailable(cause=f"no answer within {seconds:g} seconds") from None

    return run


def later(clock: IReactorTime) -> Later:
    """See Later."""

    def begin(seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        call = clock.callLater(seconds, lambda: Deferred.fromCoroutine(work()))
        return lambda: call.cancel() if call.active() else None

    return begin


def to_try_out(config: Config) -> dict[StorePlace, str]:
    """Every store that the configuration names, with an object in it that may be written to try it out."""
    found = {default_store(config): probe_key(config.mailboxes.template)}
    for place in config.mailboxes.places:
        found.setdefault(store_of(place, config), probe_key(prefix_of(place, config)))
    return {place: key for place, key in found.items() if place.url != NO_STORE}


class TryOut(Service):
    """When it starts, finds out which stores can keep leases. Nothing waits for that."""

    def __init__(self, leases: BucketLock, stores: dict[StorePlace, str]) -> None:
        self._leases = leases
        self._stores = stores

    def startService(self) -> None:
        super().startService()
        for place, key in self._stores.items():
            Deferred.fromCoroutine(self._leases.try_out(place, key))
