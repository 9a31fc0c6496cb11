"""What DNS says, beside what it should say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.names.client import Resolver as TwistedResolver

from sesmail.aws.dnsrecords import Record, State
from sesmail.errors import Unavailable
from sesmail.relay.domains import NoSuchDomain
from sesmail.service.resolver import Resolver


@dataclass(frozen=True)
class Found:
    """What DNS says of a record: the answers that are about the same thing."""

    record: Record
    state: State
    answers: Sequence[str] = ()


def resolver(reactor: Any, server: tuple[str, int] | None = None) -> Resolver:
    """Asks this server, or those of the machine."""
    asked = (
        TwistedResolver(servers=[server], reactor=reactor) if server else TwistedResolver("/etc/resolv.conf", reactor=reactor)
    )
    return Resolver(asked, reactor)


async def check(resolver: Resolver, records: Sequence[Record]) -> list[Found]:
    """Ask for all of them at a time. Raises nothing: a record about which DNS does not answer is UNKNOWN."""
    asked = [Deferred.fromCoroutine(_found(resolver, record)) for record in records]
    return list(await gatherResults(asked, consumeErrors=True))


async def _found(resolver: Resolver, record: Record) -> Found:
    try:
        answers = [one for one in await resolver.answers(record.name, record.type) if record.concerns(one)]
        if not answers:
            leads = record.leads and await _has_address(resolver, record.name)
            return Found(record, State.GOOD if leads else State.MISSING)
    except Unavailable:
        return Found(record, State.UNKNOWN)
    # Of two SPF records, or two of DMARC, none counts (RFC 7208 section 4.5); a second mail exchanger takes mail away.
    return Found(record, State.GOOD if all(map(record.will_do, answers)) and _counts(record, answers) else State.OTHER, answers)


def _counts(record: Record, answers: Sequence[str]) -> bool:
    return record.type != "TXT" or len(answers) == 1


async def _has_address(resolver: Resolver, name: str) -> bool:
    try:
        return await resolver.has_address(name)
    except NoSuchDomain:
        return False
