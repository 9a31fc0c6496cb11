"""What callers do with domains. Blocking; every method raises Unavailable and Limited too."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from sesmail.aliases.addresses import checked_domain, domain_name
from sesmail.aliases.records import Domain
from sesmail.aliases.table import NoSuchRow, Table
from sesmail.api.http import Caller
from sesmail.api.problems import wrong
from sesmail.api.rights import Rights, check_admin
from sesmail.errors import Malformed
from sesmail.log import line

log = logging.getLogger(__name__)


class Domains:
    """Users see the active ones, without their catch-alls, which are other people's addresses."""

    def __init__(self, table: Table, rights: Rights, *, now: Callable[[], float]) -> None:
        self._table = table
        self._rights = rights
        self._now = now

    def all(self, caller: Caller) -> tuple[Sequence[Domain], bool]:
        """By name, and whether they are the table's; as long as that has none they are those of the configuration."""
        kept = self._table.domains()
        rows = [Domain(name) for name in sorted(self._rights.domains)] if kept is None else kept
        return [_shown(caller, one) for one in rows if caller.admin or one.active], kept is not None

    def read(self, caller: Caller, name: str) -> Domain:
        """Raises NoSuchRow."""
        try:
            wanted = domain_name(name)
        except Malformed:
            raise NoSuchRow from None
        found = next((one for one in self._table.domains() or () if one.name == wanted), None)
        if found is None or not (caller.admin or found.active):
            raise NoSuchRow
        return _shown(caller, found)

    def takes_aliases(self, name: str) -> bool:
        """Whether aliases may be made there: it is active, and listed."""
        kept = self._table.domains()
        return name in (self._rights.domains if kept is None else {one.name for one in kept if one.active})

    def add(self, caller: Caller, domain: Domain) -> Domain:
        """Raises Refused, Taken, Wrong."""
        check_admin(caller)
        now = int(self._now())
        return self._told("domain-added", caller, self._table.add_domain(_checked(replace(domain, created=now, modified=now))))

    def change(self, caller: Caller, old: Domain, new: Domain) -> Domain:
        """`old` as `read` gave it. Raises Refused, NoSuchRow, Changed, Wrong."""
        check_admin(caller)
        if new == old:
            return old
        new = _checked(replace(new, modified=int(self._now())))
        return self._told("domain-changed", caller, self._table.change_domain(old, new))

    def remove(self, caller: Caller, old: Domain) -> None:
        """`old` as `read` gave it; its aliases stay. Raises Refused, NoSuchRow, Changed."""
        check_admin(caller)
        self._table.remove_domain(old)
        self._told("domain-removed", caller, old)

    def _told(self, word: str, caller: Caller, domain: Domain) -> Domain:
        log.info("%s", line(word, domain=domain.name, by=caller.name))
        return domain


def _shown(caller: Caller, domain: Domain) -> Domain:
    return domain if caller.admin else replace(domain, catch_all=())


def _checked(domain: Domain) -> Domain:
    with wrong():
        checked_domain(domain)
    return domain
