"""The exclusive right to a maildrop among all gateways of a bucket: the lock within this one, and then a lease in the bucket.

Where the bucket cannot help, that lock has to do: the right is courtesy, and mail must be read without it too.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, Protocol, TypeVar

from sesmail.errors import Busy, MailError
from sesmail.interfaces import Client, Place, StorePlace
from sesmail.storage.keys import lock_key
from sesmail.storage.lease import Lease, take, try_out
from sesmail.storage.lock import Hold, HostLock, gives_way
from sesmail.storage.store import Denied, Store

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

Later = Callable[[float, Callable[[], Coroutine[Any, Any, None]]], Callable[[], None]]
"""Have a coroutine run in so many seconds, until the function that is returned is called (at any time, more than once)."""

Where = tuple[str | None, str]

_REMEMBERED = 10_000
_RENEWALS = 3


class Run(Protocol):
    """Run a blocking function in a pool and await what it returns. Raises Unavailable when the pool is full or the function takes
    too long for somebody who waits for a login."""

    def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]: ...


class BucketLock:
    """See Lock. `store_of` is called in the pool, by `run`. A lease is `seconds` long and renewed three times in that time.

    A holder gives way as in ProcessLock, to another gateway at latest after `seconds` more: while it is idle and has marked
    nothing, its lease is not renewed. `gateway` is a random word for all who share `host`, and for nobody else.
    """

    def __init__(
        self,
        host: HostLock,
        store_of: Callable[[StorePlace], Store],
        run: Run,
        later: Later,
        *,
        seconds: float,
        gateway: str,
    ) -> None:
        self.run = run
        self.later = later
        self.idle = host.idle
        self.period = seconds / _RENEWALS
        self._host = host
        self._store_of = store_of
        self._seconds = seconds
        self._gateway = gateway
        self._conditional: dict[Where, bool] = {}
        self._told: set[tuple[Where, bool]] = set()

    async def try_out(self, place: StorePlace, key: str) -> None:
        """Find out, by an object at `key`, whether a store keeps to conditions, and log it when it does not. Where that cannot be
        known the first login tries again. Never raises."""
        try:
            self._learn(place, await self.run(self._tried_out, place, key))
        except MailError as error:
            log.info("could not try out conditional writes on %s: %s", place.url, error)

    async def take(self, place: Place, client: Client) -> Hold:
        """See Lock. Whether the store can be reached is for those to say who need it: Unavailable is said of `host` alone."""
        held = await self._host.take(place, client)
        try:
            lease = await self._lease(place)
        except BaseException:
            await held.release()
            raise
        return held if lease is None else _Leased(self, held, lease, client)

    async def _lease(self, place: Place) -> Lease | None:
        where = _where(place.store)
        known = self._conditional.get(where)
        if known is False:
            return None
        try:
            lease, conditional = await self.run(self._taken, place, known)
        except Busy:
            raise
        except MailError as error:
            self._tell(where, error)
            return None
        self._told.discard((where, False))
        self._learn(place.store, conditional)
        return lease if conditional else None

    def _taken(self, place: Place, known: bool | None) -> tuple[Lease, bool]:
        lease = take(self._store_of(place.store), lock_key(place.prefix), self._gateway, self._seconds)
        if known or lease.holds():
            return lease, True
        # Gateways that do not know it yet must not take it for a lease.
        lease.give_back()
        return lease, False

    def _tried_out(self, place: StorePlace, key: str) -> bool:
        return try_out(self._store_of(place), key)

    def _learn(self, place: StorePlace, conditional: bool) -> None:
        where = _where(place)
        if not conditional and self._conditional.get(where) is not False:
            log.warning("%s ignores conditions of writes: its mailboxes are locked within this gateway only", place.url)
        _bound(self._conditional)
        self._conditional[where] = conditional

    def _tell(self, where: Where, error: MailError) -> None:
        # Every login may come here. Trouble is told once until it is over; what is forbidden, once: other mailboxes of the
        # store may be free of it all the time.
        about = where, isinstance(error, Denied)
        if about not in self._told:
            log.warning("no lease to be had in %s, a mailbox is locked within this gateway only: %s", where[1], error)
        _bound(self._told)
        self._told.add(about)


def _where(place: StorePlace) -> Where:
    # Not the place itself: it holds credentials, of which logins may bring many.
    return place.endpoint, place.url


def _bound(kept: dict[Where, bool] | set[tuple[Where, bool]]) -> None:
    if len(kept) >= _REMEMBERED:
        kept.clear()


class _Leased:
    """See Hold: the lock of the gateway and a lease, which is renewed while its client is there."""

    def __init__(self, lock: BucketLock, held: Hold, lease: Lease, client: Client) -> None:
        self._lock = lock
        self._held = held
        self._lease = lease
        self._client = client
        self._ours = True
        self._wait()

    async def release(self) -> None:
        self._forget()
        if self._ours:
            self._ours = False
            await self._give_back()
        # Only now, or a newcomer of this gateway would be in the way of giving it back.
        await self._held.release()

    async def _give_back(self) -> None:
        try:
            await self._lock.run(self._lease.give_back)
        except MailError as error:
            log.info("a lease was not given back, it will lapse: %s", error)
        except Exception:
            log.exception("a lease was not given back by an error of ours")

    def _wait(self) -> None:
        self._forget = self._lock.later(self._lock.period, self._renew)

    async def _renew(self) -> None:
        if not gives_way(self._client, self._lock.idle):
            kept = await self._renewed()
            if not self._ours:
                return
            if not kept:
                self._ours = False
                log.info("an idle session from %s lost its exclusive right to another session", self._client.peer)
                return
        self._wait()

    async def _renewed(self) -> bool:
        try:
            return await self._lock.run(self._lease.renew)
        except MailError as error:
            log.info("a lease was not renewed, the next try is in %g seconds: %s", self._lock.period, error)
        except Exception:
            log.exception("a lease was not renewed by an error of ours")
        return True
