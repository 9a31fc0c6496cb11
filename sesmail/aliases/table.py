"""What every table of aliases promises, whatever it is kept in. Plain blocking code, to be used by several threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sesmail.aliases.records import Alias, DestinationRecord, Domain
from sesmail.errors import NoSuchMailbox, Refused

MOST_ROWS = 1000
"""The most rows of a page."""


class NoSuchRow(NoSuchMailbox):
    """There is no such alias, domain or destination."""

    default = "there is no such entry"


class Taken(Refused):
    """There is one of that name already."""

    default = "there is such an entry already"


class Changed(Refused):
    """Somebody has changed it meanwhile."""

    default = "somebody else has changed this entry, read it again"


@dataclass(frozen=True)
class Query:
    """Which aliases: None stands for any. `text` is a part of the address in lower case; `owner` ``""`` means those that have none."""

    text: str = ""
    domain: str | None = None
    destination: str | None = None
    owner: str | None = None
    active: bool | None = None
    ignore: bool | None = None

    def means(self, alias: Alias) -> bool:
        """Whether this alias is one of them."""
        pairs = (
            (self.domain, alias.domain),
            (self.owner, alias.owner),
            (self.active, alias.active),
            (self.ignore, alias.ignore),
        )
        listed = self.destination is None or self.destination in alias.destinations
        return listed and self.text in alias.address.lower() and all(wanted in (None, found) for wanted, found in pairs)


@dataclass(frozen=True)
class Page:
    """Some rows. Pages after one another have each row once, those of a domain in the order of their local parts, domains in an order of the
    table's. `after` asks for the next ones, ``""`` when there are none."""

    aliases: tuple[Alias, ...]
    after: str = ""


class Known(Protocol):
    """What is asked of a table when mail comes in. See Table."""

    def get(self, local: str, domain: str) -> Alias | None:
        """The alias of this address, both parts in lower case."""

    def domain(self, name: str) -> Domain | None:
        """The one of this name."""

    def destination(self, address: str) -> DestinationRecord | None:
        """What is registered of this address, which is in lower case."""

    def domains(self) -> Sequence[Domain] | None:
        """All of them by name; None where domains were never configured."""


class Counted(Known, Protocol):
    """What is asked of a table when mail comes in, and is told when it was delivered."""

    def count_use(self, local: str, domain: str) -> None:
        """One more; nothing happens where there is no such alias."""


class Table(Counted, Protocol):
    """Every method raises Unavailable, and Limited when the table is asked too much.

    What was written is seen by whoever reads afterwards. A change names the
    `version` that it is a change of: Changed unless that is still the one. The table counts versions itself; `created`, `modified`
    and `identifier` are the caller's.
    """

    def identified(self, identifier: str) -> Alias | None:
        """The alias of this identifier, as it is now, under whatever address. Just after somebody else made or renamed it this may be None."""

    def find(self, query: Query, *, limit: int, after: str = "") -> Page:
        """At most `limit` aliases, 1 to MOST_ROWS, that the query means; a page may have fewer and still have an `after`. Raises
        Malformed for an `after` that no page had."""

    def add(self, alias: Alias) -> Alias:
        """Durable on return. Raises Taken for the address, and for the identifier as far as `identified` knows; Malformed as
        addresses.checked_alias, as all do that write."""

    def add_all(self, aliases: Sequence[Alias]) -> Sequence[Alias]:
        """Those of them that could not be added, for they are taken; the others are durable on return. Raises Malformed before anything
        is written; after any other error some may have been."""

    def change(self, old: Alias, new: Alias) -> Alias:
        """All of `new` in the place of `old`, under another address too, in one step; uses counted meanwhile are kept. Raises NoSuchRow,
        Changed, and Taken where another alias has the new address: then nothing has changed."""

    def remove(self, alias: Alias) -> None:
        """Raises NoSuchRow and Changed."""

    def add_domain(self, domain: Domain) -> Domain:
        """Raises Taken."""

    def change_domain(self, old: Domain, new: Domain) -> Domain:
        """The name stays. Raises NoSuchRow and Changed."""

    def remove_domain(self, domain: Domain) -> None:
        """Its aliases stay. Raises NoSuchRow and Changed."""

    def destinations(self) -> Sequence[DestinationRecord]:
        """All that are registered, by address."""

    def add_destination(self, destination: DestinationRecord) -> DestinationRecord:
        """Raises Taken."""

    def change_destination(self, old: DestinationRecord, new: DestinationRecord) -> DestinationRecord:
        """The address stays. Raises NoSuchRow and Changed."""

    def remove_destination(self, destination: DestinationRecord) -> None:
        """Raises NoSuchRow and Changed."""
