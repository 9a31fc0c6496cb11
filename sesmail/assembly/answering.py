"""What answers SES, put together from the configuration: it knows of addresses what the sorter knows, and nothing else."""

from __future__ import annotations

from contextlib import ExitStack

from sesmail.assembly.addresses import Addresses, address_map
from sesmail.assembly.aliastable import alias_table
from sesmail.assembly.residents import residents
from sesmail.assembly.routing import home, routing
from sesmail.assembly.stores import blocking_stores, clients, places
from sesmail.config.table import Config
from sesmail.delivery.answering import Answering
from sesmail.delivery.targets import lmtp
from sesmail.delivery.uses import nobody_counts
from sesmail.interfaces import NO_STORE


def answering(config: Config) -> Answering:
    """For whoever never ends. Where no store is named every account that an alias leads to is taken for one. Raises ConfigError and
    MailError for what only shows now: the map, credentials."""
    where = places(config)
    people = residents(config, where, blocking_stores(clients(config)))
    known = Addresses(config, people, address_map(config), alias_table(config, ExitStack()))
    at = lmtp if config.storage.url == NO_STORE else home(config, where, people)
    plans = routing(config, known.model, at, known.ours)
    given = config.verdict
    return Answering(
        lambda recipient: plans.plan("", (recipient,)),
        mark=given.mark,
        closed=given.fail == "closed",
        count=known.count if given.count else nobody_counts,
    )
