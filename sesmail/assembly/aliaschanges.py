"""What becomes of mail for the aliases of a table that tacomail kept, where it is not what became of it there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sesmail.aliases.lookups import Reading, in_table, left_in_table
from sesmail.aliases.records import Alias, DestinationRecord, Domain
from sesmail.aliases.table import MOST_ROWS, Query, Table
from sesmail.assembly.addresses import address_map
from sesmail.assembly.residents import residents
from sesmail.assembly.routing import OurDomains, home, model, routing
from sesmail.assembly.stores import blocking_stores, clients, places
from sesmail.config.foreign.tacomail import SEPARATORS
from sesmail.config.table import Config
from sesmail.delivery.local import refusal
from sesmail.delivery.plan import Bounce, Destination, Drop, Forward, Hold, Reason
from sesmail.delivery.routing import Routing

_DELIVERED = "delivered"
_REFUSED = f"refused ({Reason.INACTIVE.value})"
_DROPPED = f"dropped ({Reason.IGNORED.value})"


def changes(config: Config, table: Table) -> Iterator[str]:
    """A line for each alias, and before them what is to be said of all of them. Looks at the whole table. Raises Unavailable."""
    missing = [one for one in SEPARATORS if one not in config.routing.separators]
    if missing:
        yield f"what follows {' or '.join(missing)} in an address was a tag, and is part of the name unless routing.separators has it"
    if not config.aliases.mailbox and not config.routing.in_store:
        yield "S3 is the mailbox of the alias's owner, and mail of those without one is held unless aliases.mailbox is set"
    rows = _Rows(table)
    plans = _routing(config, rows)
    after = ""
    while True:
        page = table.find(Query(), limit=MOST_ROWS, after=after)
        rows.remember(page.aliases)
        for alias in page.aliases:
            yield from _changed(alias, plans)
        if not page.after:
            return
        after = page.after


def _changed(alias: Alias, plans: Routing) -> Iterator[str]:
    before = (_DROPPED if alias.ignore else _DELIVERED) if alias.active else _REFUSED
    steps = plans.plan("", (alias.address,)).steps
    now = list(dict.fromkeys(_end(step.destination) for step in steps))
    if now != [before]:
        yield f"{alias.address}: mail was {before} and is {', '.join(now)}"


def _end(destination: Destination) -> str:
    if isinstance(destination, Forward):
        return f"forwarded to {destination.address}"
    if not isinstance(destination, Bounce | Drop | Hold):
        return _DELIVERED
    held = "held" if isinstance(destination, Hold) else "dropped"
    return f"{held if refusal(destination) is None else 'refused'} ({destination.reason.value})"


def _routing(config: Config, rows: _Rows) -> Routing:
    where = places(config)
    people = residents(config, where, blocking_stores(clients(config)))
    reading = Reading(config.aliases.mailbox, config.aliases.require_domain)
    addresses = model(config, people, address_map(config), [in_table(rows, reading)], [left_in_table(rows, reading)])
    # Each alias would be logged as one that cannot be used.
    config = replace(config, routing=replace(config.routing, in_store=config.routing.in_store or "hold:"))
    return routing(config, addresses, home(config, where, people), OurDomains(config, people, rows))


class _Rows:
    """A table of which a page is known, so that not every alias is asked for by itself."""

    def __init__(self, table: Table) -> None:
        self._table = table
        domains = table.domains()
        self._any = domains is not None
        self._domains = {one.name: one for one in domains or ()}
        self._destinations = {one.address: one for one in table.destinations()}
        self._known: Mapping[tuple[str, str], Alias] = {}

    def remember(self, aliases: Sequence[Alias]) -> None:
        self._known = {(alias.local, alias.domain): alias for alias in aliases}

    def get(self, local: str, domain: str) -> Alias | None:
        return self._known.get((local, domain)) or self._table.get(local, domain)

    def domain(self, name: str) -> Domain | None:
        return self._domains.get(name)

    def destination(self, address: str) -> DestinationRecord | None:
        return self._destinations.get(address)

    def domains(self) -> Sequence[Domain] | None:
        return tuple(self._domains.values()) if self._any else None
