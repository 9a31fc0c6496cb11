"""Data keys from KMS, asked for without a thread: a mailbox of sealed mail costs a request for each message."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from sesmail.aws.jsoncalls import CONTENT_TYPE, LONGEST, Answer, NoAnswer, answer
from sesmail.aws.kms import Asking, Kms, plain_key
from sesmail.aws.sigv4 import Scope, Signer
from sesmail.errors import Unavailable
from sesmail.interfaces import StorePlace
from sesmail.storage.read.pools import KEPT, Pools
from sesmail.storage.read.route import CurrentKeys, Route
from sesmail.storage.read.transport import Failed, Response

Run = Callable[..., Awaitable[Any]]

_CONTENT = ("content-type", CONTENT_TYPE)


@dataclass(frozen=True)
class _Way:
    route: Route
    keys: CurrentKeys


class Unwrapping:
    """See Kms.decrypt, which says what is asked, of whom, how often, and what an answer means. `run` calls in a worker what blocks; `pools`
    bound how many requests are under way."""

    def __init__(
        self,
        clock: IReactorTime,
        run: Run,
        kms: Kms,
        pools: Pools,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._clock = clock
        self._run = run
        self._kms = kms
        self._pools = pools
        self._now = now
        self._ways: OrderedDict[StorePlace, _Way] = OrderedDict()

    async def key(self, place: StorePlace, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """The data key that was wrapped with this encryption context. Raises Unavailable, whatever KMS has against it."""
        way = await self._way(place)
        asking = self._kms.decryption(wrapped, context)
        try:
            while (document := asking.heard(await self._answer(way, asking))) is None:
                pause: Deferred[None] = deferLater(self._clock, asking.pause)
                await pause
        except Unavailable:
            way.keys.forget()
            raise
        return plain_key(document)

    def close(self) -> None:
        """Drop every connection."""
        self._pools.close()

    async def _answer(self, way: _Way, asking: Asking) -> Answer | NoAnswer:
        keys = await way.keys.now()
        route = way.route
        signed = route.signer.sign("POST", route.host, "/", "", keys, self._now(), asking.amz, body=asking.body)
        try:
            response = await route.transport.post("/", [*signed, _CONTENT], asking.body)
            return answer(response.status, await _all(response))
        except (Failed, ValueError, RecursionError) as error:
            return NoAnswer(f"{type(error).__name__}: {error}"[:300])

    async def _way(self, place: StorePlace) -> _Way:
        way = self._ways.get(place)
        if way is None:
            address = await self._run(self._kms.address, place)
            route = Route(address, Signer(Scope(address.region, "kms")), self._pools.to(address))
            way = self._ways[place] = _Way(route, CurrentKeys(partial(self._kms.keys, place), self._run, self._clock))
            if len(self._ways) > KEPT:
                self._ways.popitem(last=False)
        self._ways.move_to_end(place)
        return way


async def _all(response: Response) -> bytes:
    data = b""
    try:
        while piece := await response.read():
            data += piece
            if len(data) > LONGEST:
                raise ValueError("an answer without end")
    except BaseException:
        response.close()
        raise
    return data
