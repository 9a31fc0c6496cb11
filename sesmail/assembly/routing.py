"""Routing put together from the configuration: who is asked about an address, and what each answer means here."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence

from sesmail.aliases.model import AddressRules, Disposition, LookUp, Model, Target, in_entries
from sesmail.aliases.table import Known
from sesmail.assembly.addressmap import AddressMap
from sesmail.assembly.residents import Residents
from sesmail.auth.names import Names, UnknownUser
from sesmail.config.problems import Problem, Where
from sesmail.config.receivingchecks import targets as configured
from sesmail.config.table import Config
from sesmail.delivery.plan import Bounce, Destination, Drop, Hold, Lmtp, Mailbox, Reason
from sesmail.delivery.routing import Routing
from sesmail.delivery.targets import Home, Targets, lmtp
from sesmail.delivery.verdicts import Action, VerdictRules
from sesmail.errors import Malformed, NoSuchMailbox
from sesmail.interfaces import Place
from sesmail.storage.keys import Places

_KINDS: dict[str, Callable[[Reason], Destination]] = {"hold": Hold, "bounce": Bounce, "drop": Drop}
_REASONS = {
    "unknown": (Disposition.UNKNOWN, Reason.UNKNOWN),
    "inactive": (Disposition.INACTIVE, Reason.INACTIVE),
    "denied": (Disposition.DENIED, Reason.DENIED),
}


def address_rules(config: Config) -> AddressRules:
    """How addresses are read."""
    given = config.routing
    return AddressRules(
        separators=given.separators,
        domain_aliases={one.domain: one.as_ for one in given.domain_aliases},
        open_domains=frozenset(given.open_domains),
        catch_all={one.domain: one.to for one in given.catch_all},
        deny=frozenset(given.deny),
    )


def model(
    config: Config,
    people: Residents,
    table: AddressMap | None = None,
    more: Sequence[LookUp] = (),
    left: Sequence[LookUp] = (),
) -> Model:
    """An address leads where the first of these says: the deny list, the routes, the map, `more` tables, the account that it is, its
    open domain or catch-all, what `left` is asked at last; each is asked for the whole address before it is asked for the one without
    its tag."""
    entries = {one.address: one.to for one in config.routing.routes}
    look_ups = [in_entries(entries), *([table.look_up] if table else []), *more, accounts(people)]
    return Model(address_rules(config), look_ups, left)


def routing(config: Config, addresses: Model, at: Home, ours: Container[str]) -> Routing:
    """Leads where `addresses` say, accounts having their mail `at` home, and forwards to no domain that is `ours`."""
    targets = Targets(at, ours, in_store=config.routing.in_store, instead=dict(_instead(config)))
    return Routing(addresses.resolve, targets, _verdict_rules(config), junk=config.routing.junk)


def accounts(people: Residents) -> LookUp:
    """Addresses that are accounts. They are said to be such: else mail for one in a domain that nobody told of would be forwarded,
    to ourselves."""

    def look_up(address: str) -> Sequence[Target]:
        return [Target(Disposition.DELIVER, f"mailbox:{address}", trusted=True)] if people.place(address) else []

    return look_up


def _instead(config: Config) -> Iterator[tuple[Disposition, Destination]]:
    for name, (disposition, reason) in _REASONS.items():
        kind = getattr(config.routing, name)
        may = kind != "bounce" or config.routing.bounce_from is not None
        yield disposition, _KINDS[kind if may else "hold"](reason)


def _verdict_rules(config: Config) -> VerdictRules:
    given = config.routing
    return VerdictRules(
        spam=Action[given.spam.upper()],
        virus=Action[given.virus.upper()],
        unscanned=Action[given.unscanned.upper()],
        dmarc_quarantine=Action[given.dmarc_quarantine.upper()],
        dmarc_reject=Action[given.dmarc_reject.upper()],
    )


class OurDomains(Container[str]):
    """The domains whose addresses are never forwarded to: those of the configuration, those that somebody lives in, and those whose
    aliases are in the table. Asking raises Unavailable."""

    def __init__(self, config: Config, people: Residents, aliases: Known | None = None) -> None:
        given, mailboxes = config.routing, config.mailboxes
        self._named = frozenset(
            [
                *given.domains,
                *given.open_domains,
                *(mailboxes.domains or ()),
                *config.relay.local_domains,
                *(name for one in given.domain_aliases for name in (one.domain, one.as_)),
                *(one.domain for one in given.catch_all),
                *(one.for_.rpartition("@")[2] for one in mailboxes.places),
                *([mailboxes.default_domain] if mailboxes.default_domain else []),
            ]
        )
        self._people = people
        self._aliases = aliases

    def __contains__(self, domain: object) -> bool:
        return domain in self._named or (isinstance(domain, str) and (self._people.serves(domain) or self._has_aliases(domain)))

    def _has_aliases(self, domain: str) -> bool:
        return self._aliases is not None and self._aliases.domain(domain) is not None


def home(config: Config, where: Places, people: Residents) -> Home:
    """Where an account's mail goes: to the LMTP server, which knows its users, or into the mailbox of an account that exists, or of
    anybody in an open domain."""
    if config.routing.accounts == "lmtp":
        return lmtp
    in_open_domain = _OpenDomains(config, where)

    def mailbox(name: str) -> Destination | None:
        place = people.place(name) or in_open_domain.place(name)
        return None if place is None else Mailbox(place)

    return mailbox


class _OpenDomains:
    def __init__(self, config: Config, where: Places) -> None:
        self._domains = frozenset(config.routing.open_domains)
        self._names = Names(self._domains)
        self._where = where

    def place(self, name: str) -> Place | None:
        """None unless it is an address there that a login name could be, and no mailbox that a password file lies in the place of."""
        try:
            local, domain = self._names.parse(name.encode())
            place = self._where.place(local, domain)
            store, key = self._where.passwd(domain)
        except (UnknownUser, NoSuchMailbox, UnicodeEncodeError):
            return None
        return None if (place.store, place.prefix.rstrip("/")) == (store, key) else place


def bad_targets(config: Config) -> Iterator[Problem]:
    """What is wrong with the targets of the configuration, whoever lives here."""

    def anybody(name: str) -> Destination:
        return Lmtp(name)

    reader = Targets(anybody, frozenset(), in_store="drop:")
    where = Where(config.source or "configuration")
    for key, text in configured(config.routing):
        try:
            reader.read(Target(Disposition.DELIVER, text, trusted=True))
        except Malformed as error:
            yield Problem(where, key, error.public)
