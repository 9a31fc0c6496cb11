"""Whether a message is from SNS, asked on the reactor: its certificate is fetched elsewhere, once, and not by anybody as often as he likes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from sesmail.aws.sns import Message, Signatures
from sesmail.errors import MailError, Unavailable
from sesmail.peers import source
from sesmail.web.once import UnderWay

Run = Callable[..., Awaitable[Any]]
"""Calls a blocking function in a thread, as ``run(function, *arguments)``."""


class Budget:
    """Who may cause a fetch, and when: at most `burst` at once and one more every `every` seconds; for `pause` seconds neither a URL
    nor an address with which a fetch has just failed. Whoever makes up URLs hits the second bound before he uses up the first."""

    def __init__(
        self, clock: Callable[[], float], *, burst: int = 20, every: float = 3.0, pause: float = 30.0, limit: int = 1024
    ) -> None:
        self._clock = clock
        self._burst = burst
        self._every = every
        self._pause = pause
        self._limit = limit
        self._left = float(burst)
        self._counted = clock()
        self._failed: OrderedDict[str, float] = OrderedDict()

    def spend(self, url: str, peer: str) -> None:
        """One fetch is about to be made. Raises Unavailable when it must not."""
        now = self._clock()
        if any(self._failed.get(name, now) > now for name in (url, source(peer))):
            raise Unavailable(cause="the certificate could not be fetched a moment ago")
        self._left = min(float(self._burst), self._left + (now - self._counted) / self._every)
        self._counted = now
        if self._left < 1:
            raise Unavailable(cause="too many certificates were asked for")
        self._left -= 1

    def failed(self, url: str, peer: str) -> None:
        """A fetch of this URL has failed, which a message from this peer has caused."""
        # Everything behind a local proxy has the same address, or none.
        for name in filter(None, (url, "" if _is_local(peer) else source(peer))):
            self._failed[name] = self._clock() + self._pause
            self._failed.move_to_end(name)
        while len(self._failed) > self._limit:
            self._failed.popitem(last=False)


class Proofs:
    """Checks messages with `signatures`. `run` calls blocking code in a thread; `now` gives seconds since 1970."""

    def __init__(self, signatures: Signatures, run: Run, budget: Budget, *, now: Callable[[], float]) -> None:
        self._signatures = signatures
        self._run = run
        self._budget = budget
        self._now = now
        self._fetches = UnderWay()

    async def check(self, message: Message, peer: str) -> None:
        """Returns when the message is SNS's own. Raises Refused with the reason; Unavailable when its certificate cannot be had now."""
        self._signatures.check_claims(message, self._now())
        url = message.certificate_url
        if not self._signatures.has_certificate(message, self._now()):
            await self._fetches.do(url, lambda: self._fetch(message, peer))
            if not self._signatures.has_certificate(message, self._now()):
                raise Unavailable(cause="the certificate was forgotten at once, there are too many")
        self._signatures.check(message, self._now())

    async def _fetch(self, message: Message, peer: str) -> None:
        self._budget.spend(message.certificate_url, peer)
        try:
            await self._run(self._signatures.fetch_certificate, message, self._now())
        except MailError:
            self._budget.failed(message.certificate_url, peer)
            raise


def _is_local(peer: str) -> bool:
    return source(peer) in ("127.0.0.1", "::/64")
