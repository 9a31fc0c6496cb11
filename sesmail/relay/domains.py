"""Can mail be sent to a domain? What DNS says of it, remembered for a while (RFC 5321 section 5.1, RFC 7505)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sesmail.errors import Refused, Unavailable

EXISTS = 600.0
REFUSED = 60.0


class NoSuchDomain(Exception):
    """DNS knows for certain that there is no such name."""


class Names(Protocol):
    """A resolver. Each method raises NoSuchDomain, or Unavailable when there was no answer; no records are an empty list."""

    def exchangers(self, domain: str) -> Awaitable[Sequence[str]]:
        """The names in the MX records; ``""`` stands for the root."""

    def has_address(self, domain: str) -> Awaitable[bool]:
        """Whether there is an A or AAAA record."""


@dataclass(frozen=True)
class _Known:
    until: float
    refusal: tuple[str, str] | None


class Domains:
    """`now` gives seconds. At most `limit` domains are remembered; failed look-ups are not, since they may work at once."""

    def __init__(self, names: Names, now: Callable[[], float], *, limit: int = 10_000) -> None:
        self._names = names
        self._now = now
        self._limit = limit
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def check(self, domain: str) -> None:
        """Returns when there is somewhere to bring mail for it. Raises Refused, and Unavailable (``451 4.4.3``)."""
        known = self._known.get(domain)
        if known is None or known.until <= self._now():
            refusal = await self._asked(domain)
            known = _Known(self._now() + (REFUSED if refusal else EXISTS), refusal)
            self._known[domain] = known
            while len(self._known) > self._limit:
                self._known.popitem(last=False)
        self._known.move_to_end(domain)
        if known.refusal is not None:
            text, smtp = known.refusal
            raise Refused(text, smtp=smtp)

    async def _asked(self, domain: str) -> tuple[str, str] | None:
        try:
            exchangers = await self._names.exchangers(domain)
            if list(exchangers) == [""]:
                return f"{domain} takes no mail", "556 5.1.10"
            if exchangers or await self._names.has_address(domain):
                return None
        except NoSuchDomain:
            return f"there is no domain {domain}", "550 5.1.2"
        except Unavailable as error:
            raise Unavailable(
                f"{domain} could not be looked up, try again later", cause=error.cause, smtp="451 4.4.3"
            ) from error
        return f"{domain} has no mail server", "550 5.1.2"
