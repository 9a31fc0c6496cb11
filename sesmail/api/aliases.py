"""What callers do with aliases, in whatever words they ask for it. Blocking; every method raises Unavailable and Limited too."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

from sesmail.aliases.addresses import NAME_CHARACTERS, alias_address, checked_alias
from sesmail.aliases.records import Alias
from sesmail.aliases.table import NoSuchRow, Page, Query, Table
from sesmail.api.allowances import Allowances
from sesmail.api.domains import Domains
from sesmail.api.http import Caller
from sesmail.api.problems import Denied, Wrong, wrong
from sesmail.api.rights import Rights, sees
from sesmail.errors import Malformed
from sesmail.log import line

log = logging.getLogger(__name__)


class Aliases:
    """`now` gives seconds since 1970, `new_id` an identifier that no alias has."""

    def __init__(
        self, table: Table, rights: Rights, domains: Domains, *, now: Callable[[], float], new_id: Callable[[], str]
    ) -> None:
        self._table = table
        self._rights = rights
        self._domains = domains
        self._now = now
        self._new_id = new_id
        self._allowances = Allowances(table, rights.most_aliases, now)

    def find(self, caller: Caller, query: Query, *, limit: int, after: str = "") -> Page:
        """Raises Malformed for an `after` that no page had, Denied where a user asks for those of others."""
        if query.owner is not None:
            query = replace(query, owner=self._rights.account(query.owner))
        if not caller.admin:
            if query.owner not in (None, caller.name) or not caller.name:
                raise Denied("owner", "only an administrator can ask for aliases of others")
            query = replace(query, owner=caller.name)
        return self._table.find(query, limit=limit, after=after)

    def read(self, caller: Caller, name: str) -> Alias:
        """The alias of this address or identifier. Raises NoSuchRow, also where it is somebody else's."""
        found = self._found(name) if len(name) <= NAME_CHARACTERS else None
        if found is None or not sees(caller, found):
            raise NoSuchRow
        return found

    def add(self, caller: Caller, alias: Alias) -> Alias:
        """Identifier and times are set here; a user owns what he makes. Raises Taken, Wrong, Denied, Refused, Malformed."""
        now = int(self._now())
        owner = self._rights.account(alias.owner)
        alias = replace(alias, identifier=self._new_id(), owner=owner, created=now, modified=now)
        self._check_address(caller, alias)
        self._rights.check_destinations(caller, alias.destinations)
        if not caller.admin and owner != caller.name:
            raise Denied("owner", "only an administrator can make an alias for somebody else")
        with nullcontext() if caller.admin else self._allowances.one_more(owner):
            added = self._table.add(_checked(alias))
        return self._told("alias-added", caller, added)

    def change(self, caller: Caller, old: Alias, new: Alias) -> Alias:
        """`old` as `read` gave it; nothing is written where nothing is different. Raises NoSuchRow, Changed, Taken, Wrong, Denied."""
        if new.owner != old.owner:
            new = replace(new, owner=self._rights.account(new.owner))
        if new == old:
            return old
        if new.address != old.address:
            self._check_address(caller, new)
        self._rights.check_destinations(caller, new.destinations, old.destinations)
        if not caller.admin and new.owner != old.owner:
            raise Denied("owner", "only an administrator can give an alias to somebody else")
        new = _checked(replace(new, modified=int(self._now())))
        return self._told("alias-changed", caller, self._table.change(old, new), was=old.address)

    def remove(self, caller: Caller, old: Alias) -> None:
        """`old` as `read` gave it. Raises NoSuchRow and Changed."""
        self._table.remove(old)
        self._allowances.one_less(old.owner)
        self._told("alias-removed", caller, old)

    def count(self, old: Alias) -> None:
        """One use more."""
        self._table.count_use(old.local, old.domain)

    def _found(self, name: str) -> Alias | None:
        if "@" not in name:
            return self._table.identified(name)
        try:
            return self._table.get(*alias_address(name))
        except Malformed:
            return None

    def _check_address(self, caller: Caller, alias: Alias) -> None:
        if not self._domains.takes_aliases(alias.domain):
            raise Wrong("domain", "aliases can only be made in a domain that is listed here and active")
        self._rights.check_name(caller, alias.local, alias.domain)

    def _told(self, word: str, caller: Caller, alias: Alias, was: str | None = None) -> Alias:
        log.info("%s", line(word, alias=alias.address, was=was if was != alias.address else None, by=caller.name))
        return alias


def _checked(alias: Alias) -> Alias:
    with wrong():
        checked_alias(alias)
    return alias
