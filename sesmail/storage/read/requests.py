"""Signed GETs to one bucket: what to try again, what to give up, and what a refusal means."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from sesmail.aws.counted import answered
from sesmail.aws.sessions import Address, Clients
from sesmail.aws.sigv4 import Scope, Signer
from sesmail.errors import NoSuchMessage, Unavailable
from sesmail.interfaces import StorePlace
from sesmail.storage.read.route import CurrentKeys, Route
from sesmail.storage.read.transport import Failed, Response, Transport

_log = logging.getLogger(__name__)

Run = Callable[..., Awaitable[Any]]
Taken = TypeVar("Taken")

_ERROR_LIMIT = 64 * 1024
_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,80})</Code>")
_GOOD = frozenset({200, 206, 304})
_PASSING = frozenset({429, 500, 502, 503, 504})
_PASSING_CODES = frozenset(
    {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling", "ThrottlingException"}
)
_STALE_KEYS = frozenset({"ExpiredToken", "TokenRefreshRequired", "InvalidToken"})
_ELSEWHERE = frozenset(
    {"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)


@dataclass(frozen=True)
class _Refusal:
    status: int
    code: str
    region: str | None
    date: str | None

    def __str__(self) -> str:
        return f"{self.status} {self.code}".strip()

    @property
    def passing(self) -> bool:
        """The server's own words for: ask again."""
        return self.status in _PASSING or self.code in _PASSING_CODES


class Requests:
    """GETs to the bucket of one place.

    Tried up to `attempts` times with growing, random pauses: 500, 503, SlowDown, resets, time-outs, short bodies. Never tried
    again: 403 and 404. Mended and sent once more: expired credentials, a wrong region, a wrong clock of ours.
    """

    def __init__(
        self,
        place: StorePlace,
        clients: Clients,
        run: Run,
        transport_to: Callable[[Address], Transport],
        *,
        clock: IReactorTime,
        attempts: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._place = place
        self._clients = clients
        self._run = run
        self._transport_to = transport_to
        self._clock = clock
        self._attempts = attempts
        self._now = now
        self._chance = chance
        self._skew = timedelta()
        self._route: Route | None = None
        self._keys = CurrentKeys(partial(clients.keys, place), run, clock)
        self._owner = [("x-amz-expected-bucket-owner", place.owner)] if place.owner else []

    async def get(
        self,
        path: str,
        query: str,
        take: Callable[[Response], Awaitable[Taken]],
        *,
        amz: Iterable[tuple[str, str]] = (),
        headers: Iterable[tuple[str, str]] = (),
    ) -> Taken:
        """What `take` makes of a good answer (200, 206 or 304); it is called again with a new one when it raises Failed.

        `path` and `query` are escaped already; `path` is ``/`` and a key, or empty for the bucket itself. Raises NoSuchMessage when
        the key is absent, Unavailable for everything else.
        """
        cause: object = None
        mended: set[str] = set()
        attempt = 0
        while attempt < self._attempts:
            try:
                response = await self._send(path, query, [*self._owner, *amz], headers)
                if response.status in _GOOD:
                    return await _closing(response, take)
                refusal = await _refusal(response)
            except Failed as error:
                cause = error
            else:
                cause = refusal
                if await self._mend(refusal, mended):
                    continue
                if not refusal.passing:
                    raise _meaning(refusal)
            attempt += 1
            if attempt < self._attempts:
                await self._pause(attempt)
        raise Unavailable(cause=f"the store gave no answer: {cause}")

    async def _send(
        self, path: str, query: str, amz: Iterable[tuple[str, str]], headers: Iterable[tuple[str, str]]
    ) -> Response:
        route = self._route or await self._find()
        keys = await self._keys.now()
        path = route.address.base + path or "/"
        signed = route.signer.sign("GET", route.host, path, query, keys, self._now() + self._skew, amz)
        target = f"{path}?{query}" if query else path
        began, operation = self._clock.seconds(), "ListObjectsV2" if query else "GetObject"
        status = None
        try:
            response = await route.transport.get(target, [*signed, *headers])
            status = response.status
            return response
        finally:
            answered("s3", operation, self._clock.seconds() - began, status)

    async def _find(self) -> Route:
        address = await self._run(self._clients.address, self._place)
        self._route = Route(address, Signer(Scope(address.region)), self._transport_to(address))
        return self._route

    async def _mend(self, refusal: _Refusal, mended: set[str]) -> bool:
        """Whether something of ours was wrong, is put right, and was not put right before for this request."""
        if refusal.code in mended:
            return False
        mended.add(refusal.code)
        if refusal.code in _STALE_KEYS:
            self._keys.forget()
            return True
        if refusal.code == "RequestTimeTooSkewed" and refusal.date:
            self._skew = parsedate_to_datetime(refusal.date) - self._now()
            _log.warning("the clock of this host is wrong by %.0f s", -self._skew.total_seconds())
            return True
        if refusal.region and not self._place.endpoint and self._elsewhere(refusal):
            _log.warning("the bucket lies in %s: set storage.region", refusal.region)
            self._place = replace(self._place, region=refusal.region)
            self._route = None
            return True
        return False

    def _elsewhere(self, refusal: _Refusal) -> bool:
        return refusal.code in _ELSEWHERE and (self._route is None or self._route.address.region != refusal.region)

    async def _pause(self, attempt: int) -> None:
        """Full jitter: many sessions that were refused together do not come back together."""
        longest = min(5.0, 0.1 * 2**attempt)
        pause: Deferred[None] = deferLater(self._clock, longest * self._chance())
        await pause


async def _closing(response: Response, take: Callable[[Response], Awaitable[Taken]]) -> Taken:
    try:
        return await take(response)
    except BaseException:
        response.close()
        raise


async def _refusal(response: Response) -> _Refusal:
    body = b""
    while len(body) < _ERROR_LIMIT and (piece := await response.read()):
        body += piece
    response.close()
    code = _CODE.search(body)
    region = response.headers.get(b"x-amz-bucket-region")
    date = response.headers.get(b"date")
    return _Refusal(
        response.status,
        code[1].decode() if code else "",
        region.decode("ascii", "replace") if region else None,
        date.decode("ascii", "replace") if date else None,
    )


def _meaning(refusal: _Refusal) -> Exception:
    if refusal.status == 404 and refusal.code in ("NoSuchKey", ""):
        return NoSuchMessage(cause=refusal)
    return Unavailable(cause=f"the store refused: {refusal}")
