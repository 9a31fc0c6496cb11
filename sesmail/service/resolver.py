"""DNS as the relay room asks it, by Twisted's resolver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IResolver
from twisted.names import dns
from twisted.names.error import DNSNameError

from sesmail.errors import Unavailable
from sesmail.relay.domains import NoSuchDomain

# Seconds for one question, however many servers are tried.
PATIENCE = 10.0
# Seconds for each server in the first round and in the second.
ROUNDS = (2, 4)


def _name(name: dns.Name) -> str:
    return str(name) or "."


# How each type is asked for, and how its answer is told.
_TYPES: dict[str, tuple[str, int, Callable[[Any], str]]] = {
    "MX": ("lookupMailExchange", dns.MX, lambda said: f"{said.preference} {_name(said.name)}"),
    "TXT": ("lookupText", dns.TXT, lambda said: b"".join(said.data).decode("utf-8", "backslashreplace")),
    "CNAME": ("lookupCanonicalName", dns.CNAME, lambda said: _name(said.name)),
    "SRV": ("lookupService", dns.SRV, lambda said: f"{said.priority} {said.weight} {said.port} {_name(said.target)}"),
}


class Resolver:
    """See relay.domains.Names."""

    def __init__(self, resolver: IResolver, clock: IReactorTime, rounds: Sequence[float] = ROUNDS) -> None:
        self._resolver = resolver
        self._clock = clock
        self._rounds = rounds

    async def exchangers(self, domain: str) -> Sequence[str]:
        """See Names."""
        return [str(record.payload.name) for record in await self._records(self._resolver.lookupMailExchange, domain, dns.MX)]

    async def has_address(self, domain: str) -> bool:
        """See Names."""
        if await self._records(self._resolver.lookupAddress, domain, dns.A):
            return True
        return bool(await self._records(self._resolver.lookupIPV6Address, domain, dns.AAAA))

    async def answers(self, name: str, type: str) -> Sequence[str]:
        """What DNS says of a name, in the words of `aws.dnsrecords.Record`; none where there is nothing or no such name. `type` is MX,
        TXT, CNAME or SRV. Raises Unavailable."""
        look_up, kind, text = _TYPES[type]
        try:
            return [text(record.payload) for record in await self._records(getattr(self._resolver, look_up), name, kind)]
        except NoSuchDomain:
            return []

    async def _records(self, look_up: Callable[..., Deferred[Any]], domain: str, kind: int) -> list[Any]:
        try:
            answers, _, _ = await look_up(domain, timeout=self._rounds).addTimeout(PATIENCE, self._clock)
        except DNSNameError:
            raise NoSuchDomain from None
        except Exception as error:
            # Servers that fail or refuse, timeouts, no server at all: each has a class of its own, and none of them is an answer.
            raise Unavailable(cause=error) from error
        return [record for record in answers if record.type == kind]
