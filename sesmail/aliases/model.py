"""What an address leads to, as the tables have it: case, tags, domains under another name, catch-alls and the deny list.

The tables are callables, so that looking up comes first and routing needs nothing but the answers. Nothing here ends a message: an
address that nobody knows is an answer too.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sesmail.aliases.postfixmap import PostfixMap
from sesmail.errors import Malformed
from sesmail.mail.address import Address

MOST_LOOK_UPS = 200
"""How many addresses are looked up for one recipient; what is left then counts as unknown."""

# What looks like a tag is part of the name here: BATV (draft-levine-smtp-batv) and what others made like it, SRS.
_SIGNED = re.compile(r"(?:prvs|btv1|msprvs1|srs[01])[=+/-]", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z0-9]+:", re.IGNORECASE)


class Disposition(enum.Enum):
    """What is to become of mail for an address."""

    DELIVER = "deliver"
    IGNORE = "ignore"
    INACTIVE = "inactive"
    DENIED = "denied"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Target:
    """One thing that an address leads to. `text` is an account, an address, or ``SCHEME:WHAT``; empty unless it is DELIVER.

    `trusted`: the administrator wrote the text, so that it may name programs and files.
    """

    disposition: Disposition
    text: str = ""
    trusted: bool = False


UNKNOWN = Target(Disposition.UNKNOWN)
DENIED = Target(Disposition.DENIED)

LookUp: TypeAlias = Callable[[str], Sequence[Target]]
"""A table: what it says of this address, in lower case; nothing when it does not know it. Raises Unavailable."""


@dataclass(frozen=True)
class AddressRules:
    """How addresses are read. All addresses and domains in lower case.

    `separators` begin a tag, which ends with the local part. `domain_aliases` leads from a domain to the one whose addresses it has.
    In `open_domains` everybody has a mailbox, named without the tag. `catch_all` has targets for what is left of a domain. `deny` has
    addresses and ``@domain``; what is denied is so with any tag. Raises ValueError for an empty separator and for an alias of an alias.
    """

    separators: tuple[str, ...] = ("+",)
    domain_aliases: Mapping[str, str] = field(default_factory=dict)
    open_domains: frozenset[str] = frozenset()
    catch_all: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    deny: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if "" in self.separators:
            raise ValueError("a separator is empty")
        for alias, domain in self.domain_aliases.items():
            if domain in self.domain_aliases:
                raise ValueError(f"the domain {alias} is an alias of {domain}, which is an alias itself")

    def spellings(self, address: Address) -> tuple[str, ...]:
        """The addresses to look up one after the other, the most specific first: as it is, without its tag, both in its own domain."""
        own = self.domain_aliases.get(address.domain, address.domain)
        local = address.local.lower()
        names = (local, without_tag(local, self.separators))
        return tuple(dict.fromkeys(str(Address(name, domain)) for domain in (address.domain, own) for name in names))


def without_tag(local: str, separators: Sequence[str]) -> str:
    """What stands before the first separator; all of it where that is nothing, and where the local part is a signed one."""
    if _SIGNED.match(local):
        return local
    cuts = [cut for cut in map(local.find, separators) if cut >= 0]
    return local[: min(cuts)] or local if cuts else local


class Model:
    """The look-ups in their order, each asked for the more specific address first. `left` are asked last, about what nobody else knows and
    no catch-all of the rules takes. As thread-safe as they are."""

    def __init__(self, rules: AddressRules, look_ups: Sequence[LookUp], left: Sequence[LookUp] = ()) -> None:
        self._rules = rules
        self._look_ups = tuple(look_ups)
        self._left = tuple(left)

    def resolve(self, address: str) -> tuple[Target, ...]:
        """What the address leads to, never nothing; UNKNOWN for what is no address. An address that a table leads to is looked up in
        turn, but for catch-alls and open domains; one that leads back to itself is meant as it is. Raises Unavailable."""
        spellings = self._spellings(address)
        if not spellings:
            return (UNKNOWN,)
        if self._is_denied(spellings):
            return (DENIED,)
        found = self._found(spellings) or self._rest(spellings)
        expansion = _Expansion(lambda text: self._found(self._spellings(text)), self._spellings)
        expansion.expand(found, frozenset(spellings))
        return tuple(expansion.ends)

    def entry(self, address: str) -> tuple[str, LookUp] | None:
        """The spelling under which a table knows the address first, and that table; None where `resolve` asks none, or none knows it.
        Raises Unavailable."""
        spellings = self._spellings(address)
        if self._is_denied(spellings):
            return None
        asked = ((text, look_up) for text in spellings for look_up in self._look_ups)
        return next((found for found in asked if found[1](found[0])), None)

    def _spellings(self, text: str) -> tuple[str, ...]:
        try:
            return self._rules.spellings(Address.parse(text))
        except Malformed:
            return ()

    def _is_denied(self, spellings: Sequence[str]) -> bool:
        return any(text in self._rules.deny or f"@{_domain(text)}" in self._rules.deny for text in spellings)

    def _found(self, spellings: Sequence[str]) -> Sequence[Target]:
        answers = (look_up(text) for text in spellings for look_up in self._look_ups)
        return next((found for found in answers if found), ())

    def _rest(self, spellings: Sequence[str]) -> Sequence[Target]:
        # The last spelling is the one without a tag in the domain's own name.
        bare = spellings[-1]
        if _domain(bare) in self._rules.open_domains:
            return (Target(Disposition.DELIVER, bare),)
        domains = dict.fromkeys(map(_domain, spellings))
        texts = next((self._rules.catch_all[domain] for domain in domains if domain in self._rules.catch_all), ())
        if texts:
            return [Target(Disposition.DELIVER, text, trusted=True) for text in texts]
        return next((found for text in spellings for look_up in self._left if (found := look_up(text))), (UNKNOWN,))


class _Expansion:
    """Follows targets that are addresses of ours to where they end."""

    def __init__(self, found: LookUp, spellings: Callable[[str], tuple[str, ...]]) -> None:
        self.ends: dict[Target, None] = {}
        self._found = found
        self._spellings = spellings
        self._seen: set[str] = set()

    def expand(self, targets: Sequence[Target], path: frozenset[str]) -> None:
        for target in targets:
            spellings = () if _SCHEME.match(target.text) else self._spellings(target.text)
            if not spellings or target.disposition is not Disposition.DELIVER:
                self.ends[target] = None
            elif spellings[0] in path:
                self.ends[_as_it_is(target, spellings)] = None
            elif spellings[0] not in self._seen:
                self._follow(target, spellings, path)

    def _follow(self, target: Target, spellings: tuple[str, ...], path: frozenset[str]) -> None:
        self._seen.add(spellings[0])
        if len(self._seen) > MOST_LOOK_UPS:
            self.ends[UNKNOWN] = None
        elif found := self._found(target.text):
            self.expand(found, path | frozenset(spellings))
        else:
            self.ends[_as_it_is(target, spellings)] = None


def _as_it_is(target: Target, spellings: tuple[str, ...]) -> Target:
    """In the domain's own name. Case and tag are kept: elsewhere they may have a meaning."""
    return replace(target, text=str(Address(Address.parse(target.text).local, _domain(spellings[-1]))))


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def in_map(table: PostfixMap) -> LookUp:
    """A Postfix-style map. It leads to accounts and addresses alone: it keeps neither the case nor the spaces of anything else."""

    def look_up(address: str) -> Sequence[Target]:
        return [Target(Disposition.DELIVER, user) for user in table.resolve(address)]

    return look_up


def in_entries(entries: Mapping[str, Sequence[str]]) -> LookUp:
    """A table that the administrator wrote, from addresses in lower case to targets of all kinds."""

    def look_up(address: str) -> Sequence[Target]:
        return [Target(Disposition.DELIVER, text, trusted=True) for text in entries.get(address, ())]

    return look_up
