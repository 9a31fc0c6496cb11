"""Who sees and may do what: a user what he owns, administrators all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sesmail.aliases.addresses import destination
from sesmail.aliases.model import without_tag
from sesmail.aliases.records import IN_STORE, Alias
from sesmail.aliases.table import Taken
from sesmail.api.http import Caller
from sesmail.api.problems import Denied, Wrong
from sesmail.errors import Malformed, Refused

# Whoever reads mail to these can speak for the whole domain: RFC 2142 sections 4 and 5, and by the first five anybody gets a
# certificate for it (CA/Browser Forum, Baseline Requirements 3.2.2.4.4).
RESERVED = frozenset(
    {"admin", "administrator", "hostmaster", "postmaster", "webmaster", "abuse", "noc", "security", "root", "mailer-daemon"}
)


def _nobody(address: str) -> bool:
    return False


@dataclass(frozen=True)
class Rights:
    """What is known here beside the table.

    `is_mailbox`: whether an address is an account's own; blocking, raises Unavailable. `separators` begin a tag. `store_owner`: the
    account or address whose mailbox S3 is, ``""`` where it is that of the alias's owner. `domains`: those in which aliases may be as long
    as the table has none. `account`: what the account is called that somebody has named.
    `most_aliases`: as many may a user make.
    """

    is_mailbox: Callable[[str], bool] = _nobody
    separators: tuple[str, ...] = ("+",)
    store_owner: str = ""
    domains: frozenset[str] = frozenset()
    account: Callable[[str], str] = str
    most_aliases: int = 1000

    def check_name(self, caller: Caller, local: str, domain: str) -> None:
        """Whether this caller may have an alias of this name. Raises Wrong, Denied, Taken.

        An alias goes before an account of the same address, and a name with a tag before the one without: mail of others would come.
        """
        if caller.admin:
            return
        if without_tag(local, self.separators) != local:
            raise Wrong("local", f"a name cannot have {' or '.join(self.separators)}, which begins a tag")
        if local in RESERVED:
            raise Denied("local", "this name speaks for the whole domain; an administrator can give it to you")
        if self.is_mailbox(f"{local}@{domain}"):
            raise Taken

    def check_destinations(self, caller: Caller, wanted: tuple[str, ...], there: tuple[str, ...] = ()) -> None:
        """Whether mail may go there by this caller's will; what is `there` already may stay. Raises Denied."""
        if caller.admin or set(wanted) <= {*there, *self.own(caller)}:
            return
        raise Denied("destinations", "mail can go to your own mailbox alone; an administrator can add other destinations")

    def own(self, caller: Caller) -> tuple[str, ...]:
        """The destinations that are the caller's own mailbox."""
        own: list[str] = []
        try:
            own += [destination(caller.address)] if caller.address else []
        except Malformed:
            # A login that no mail can come to.
            own = []
        if not self.store_owner or self.store_owner in (caller.name, caller.address, *own):
            own.append(IN_STORE)
        return tuple(own)

    def usual(self, caller: Caller) -> tuple[str, ...]:
        """Where mail goes if nobody says it. Raises Denied for a user who has no mailbox."""
        own = self.own(caller)[:1] or ((IN_STORE,) if caller.admin else ())
        if not own:
            raise Denied("destinations", "your login has no address that mail could go to; ask an administrator")
        return own


def sees(caller: Caller, alias: Alias) -> bool:
    """Whether the alias is there for this caller."""
    return caller.admin or (bool(caller.name) and alias.owner == caller.name)


def check_admin(caller: Caller) -> None:
    """Raises Refused for everybody else."""
    if not caller.admin:
        raise Refused("only an administrator can do that")
