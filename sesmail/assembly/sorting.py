"""Mail that comes in, put together from the configuration: the same for the daemon, the commands and the functions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from sesmail.aliases.table import Table
from sesmail.assembly.addresses import Addresses, address_map
from sesmail.assembly.agents import agents
from sesmail.assembly.aliastable import alias_table
from sesmail.assembly.couriers import outward_courier, ses_client
from sesmail.assembly.ids import hostname
from sesmail.assembly.residents import Residents, renew, residents
from sesmail.assembly.routing import OurDomains, bad_targets, home, routing
from sesmail.assembly.senders import Senders
from sesmail.assembly.stores import StoreOf, blocking_stores, clients, incoming_store, places
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
from sesmail.errors import MailError
from sesmail.interfaces import StorePlace
from sesmail.relay.courier import Courier
from sesmail.relay.rate import Paced


@dataclass(frozen=True)
class Receiving:
    """All parts of one configuration. Plain blocking code, to be used by several threads.

    `outward` carries mail out, `senders` knows who may send as what, `aliases` is the table of aliases, None where there is none,
    `people` who lives here, `accounts` those by their addresses. `prepare` makes ready what a changed configuration and changed files
    say about addresses and accounts, and returns what takes it on; it raises ConfigError.
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
    people: Residents
    accounts: Mapping[str, str]
    prepare: Callable[[Config], Callable[[], None]]


UnsealedOf: TypeAlias = Callable[[StorePlace], Unsealed]
"""How what lies in a store is opened where it was sealed."""


def receiving(
    config: Config,
    end: ExitStack,
    *,
    store_of: StoreOf | None = None,
    unsealed_of: UnsealedOf | None = None,
    pace: Paced | None = None,
) -> Receiving:
    """`store_of`, `pace`: what gives stores elsewhere already, and the pace to which others keep as well. Without `unsealed_of` sealed
    mail is brought into mailboxes alone. What is to be closed at the end goes into `end`; that takes seconds at most.

    Raises ConfigError for what only shows now: targets, the map, certificates, credentials.
    """
    if problems := list(bad_targets(config)):
        raise ConfigError(problems)
    try:
        return _receiving(config, end, store_of or blocking_stores(clients(config)), unsealed_of, pace)
    except MailError as error:
        raise ConfigError([Problem(Where(config.source or "configuration"), "", str(error))]) from error


def intake(config: Config) -> Intake:
    """What takes events, for whoever never ends. Raises as `receiving`."""
    return receiving(config, ExitStack()).intake


def _receiving(
    config: Config, end: ExitStack, store_of: StoreOf, unsealed_of: UnsealedOf | None, pace: Paced | None
) -> Receiving:
    table = address_map(config)
    where = places(config)
    people = residents(config, where, store_of)
    known = Addresses(config, people, table, alias_table(config, end))
    plans = routing(config, known.model, home(config, where, people), known.ours)
    outward = outward_courier(config, end, pace)
    carriers = agents(config, outward.send, end)
    box = inbox(config, store_of, unsealed_of)
    sorter = Sorter(box, plans, carriers, store_of, count=known.count)
    local = Local(box, plans, carriers, store_of, now=time.time, count=known.count)
    reports = _reports(config, local, known.ours)
    return Receiving(
        inbox=box,
        routing=plans,
        agents=carriers,
        sorter=sorter,
        intake=Intake(Incoming(box.bucket, box.prefix), sorter.sort, reports.take),
        local=local,
        held=Held(box),
        senders=known.senders,
        outward=outward,
        aliases=known.aliases,
        people=people,
        accounts=known.accounts,
        prepare=_prepare(known, people, store_of),
    )


def _prepare(known: Addresses, people: Residents, store_of: StoreOf) -> Callable[[Config], Callable[[], None]]:
    def prepare(config: Config) -> Callable[[], None]:
        try:
            take_on = known.prepare(config)
        except MailError as error:
            raise ConfigError([Problem(Where(config.source or "configuration"), "aliases.map", str(error))]) from error

        def take_all_on() -> None:
            take_on()
            renew(people, config, places(config), store_of)

        return take_all_on

    return prepare


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
