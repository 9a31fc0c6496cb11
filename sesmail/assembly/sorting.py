"""Mail that comes in, put together from the configuration: the same for the daemon, the commands and the functions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from sesmail.aliases.lookups import Owners, Reading, Uses, in_table, left_in_table, owners
from sesmail.aliases.table import Table
from sesmail.assembly.addressmap import AddressMap
from sesmail.assembly.agents import agents
from sesmail.assembly.aliastable import alias_table
from sesmail.assembly.couriers import outward_courier, ses_client
from sesmail.assembly.ids import hostname
from sesmail.assembly.residents import Residents, names, residents
from sesmail.assembly.routing import OurDomains, address_rules, bad_targets, home, model, routing
from sesmail.assembly.senders import Senders
from sesmail.assembly.stores import StoreOf, blocking_stores, clients, incoming_store, places
from sesmail.auth.names import fold
from sesmail.aws.receipt import Incoming
from sesmail.aws.suppression import Suppression
from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.config.table import Config
from sesmail.delivery.agent import Agents
from sesmail.delivery.held import Held
from sesmail.delivery.inbox import Guess, Inbox
from sesmail.delivery.intake import Intake
from sesmail.delivery.local import Local
from sesmail.delivery.original import Unsealed
from sesmail.delivery.reports import Reports
from sesmail.delivery.routing import Routing
from sesmail.delivery.sorter import Sorter
from sesmail.delivery.uses import Count, nobody_counts
from sesmail.errors import MailError
from sesmail.interfaces import StorePlace
from sesmail.relay.courier import Courier


@dataclass(frozen=True)
class Receiving:
    """All parts of one configuration. Plain blocking code, to be used by several threads.

    `outward` carries mail out, `senders` knows who may send as what, `aliases` is the table of aliases, `reload` reads again what lies in
    files; None where there is none, and nothing.
    """

    inbox: Inbox
    routing: Routing
    agents: Agents
    sorter: Sorter
    intake: Intake
    local: Local
    held: Held
    senders: Senders
    outward: Courier
    aliases: Table | None
    reload: Callable[[], None] | None


UnsealedOf: TypeAlias = Callable[[StorePlace], Unsealed]
"""How what lies in a store is opened where it was sealed."""


def receiving(
    config: Config,
    end: ExitStack,
    *,
    store_of: StoreOf | None = None,
    unsealed_of: UnsealedOf | None = None,
) -> Receiving:
    """`store_of`: what gives stores elsewhere already. Without `unsealed_of` sealed mail is brought into mailboxes alone. What is to be
    closed at the end goes into `end`; that takes seconds at most.

    Raises ConfigError for what only shows now: targets, the map, certificates, credentials.
    """
    if problems := list(bad_targets(config)):
        raise ConfigError(problems)
    try:
        return _receiving(config, end, store_of or blocking_stores(clients(config)), unsealed_of)
    except MailError as error:
        raise ConfigError([Problem(Where(config.source or "configuration"), "", str(error))]) from error


def intake(config: Config) -> Intake:
    """What takes events, for whoever never ends. Raises as `receiving`."""
    return receiving(config, ExitStack()).intake


def _receiving(config: Config, end: ExitStack, store_of: StoreOf, unsealed_of: UnsealedOf | None) -> Receiving:
    table = address_map(config)
    where = places(config)
    people = residents(config, where, store_of)
    kept = _Kept(config, people, table, end)
    ours = OurDomains(config, people, kept.table)
    plans = routing(config, kept.addresses, home(config, where, people), ours)
    outward = outward_courier(config, end)
    carriers = agents(config, outward.send, end)
    box = inbox(config, store_of, unsealed_of)
    sorter = Sorter(box, plans, carriers, store_of, count=kept.count)
    local = Local(box, plans, carriers, store_of, now=time.time, count=kept.count)
    reports = _reports(config, local, ours)
    return Receiving(
        inbox=box,
        routing=plans,
        agents=carriers,
        sorter=sorter,
        intake=Intake(Incoming(box.bucket, box.prefix), sorter.sort, reports.take),
        local=local,
        held=Held(box),
        senders=Senders(names(config), address_rules(config), kept.owners, _by_address(config)),
        outward=outward,
        aliases=kept.table,
        reload=table.reload if table else None,
    )


def inbox(config: Config, store_of: StoreOf, unsealed_of: UnsealedOf | None = None) -> Inbox:
    """Where mail comes in. Raises Unavailable when its store cannot be had."""
    given, place = config.incoming, incoming_store(config)
    return Inbox(
        store_of(place),
        urlsplit(place.url).netloc,
        given.prefix,
        fixed=tuple((one.prefix, one.recipient) for one in given.mailboxes),
        notices=given.notices,
        guess=Guess(given.guess),
        unsealed=unsealed_of(place) if unsealed_of else None,
    )


def address_map(config: Config) -> AddressMap | None:
    """The map of section aliases. Raises ConfigError when it cannot be used."""
    spec = config.aliases.map
    if spec is None:
        return None
    try:
        return AddressMap(spec)
    except MailError as error:
        raise ConfigError([Problem(Where(config.source or "configuration"), "aliases.map", str(error))]) from error


def _reports(config: Config, local: Local, domains: OurDomains) -> Reports:
    given, routes = config.feedback, config.routing
    return Reports(
        local.deliver,
        hostname=hostname(config),
        domains=domains,
        report=given.report,
        silent=[one for one in (routes.forward_from, routes.bounce_from) if one is not None],
        suppress=Suppression(ses_client(config)).put if given.suppress else None,
    )


class _Kept:
    """What is known of addresses, with the table of aliases or without one."""

    def __init__(self, config: Config, people: Residents, table: AddressMap | None, end: ExitStack) -> None:
        self.table = alias_table(config, end)
        self.owners: list[Owners] = [table.resolve] if table else []
        self.count: Count = nobody_counts
        if self.table is None:
            self.addresses = model(config, people, table)
        else:
            reading = Reading(config.aliases.mailbox, config.aliases.require_domain)
            look_up = in_table(self.table, reading)
            self.addresses = model(config, people, table, [look_up], [left_in_table(self.table, reading)])
            self.owners.append(owners(self.table, reading))
            self.count = Uses(self.addresses, look_up, self.table).count


def _by_address(config: Config) -> Mapping[str, str]:
    """The accounts of the configuration, by addresses that are nobody's name."""
    known = names(config)
    users = config.auth.users if "static" in config.auth.checkers else ()
    named = {known.complete(user.name.encode()) for user in users}
    found = {fold(user.address): known.complete(user.name.encode()) for user in users if user.address}
    return {address: name for address, name in found.items() if address not in named}
