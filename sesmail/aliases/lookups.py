"""A table of aliases as routing and submission ask it: where mail for an address goes, and who may send as it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from sesmail.aliases.model import Disposition as To
from sesmail.aliases.model import LookUp, Model, Target
from sesmail.aliases.records import Alias, Domain
from sesmail.aliases.table import Table
from sesmail.errors import MailError
from sesmail.mail.address import Address

log = logging.getLogger(__name__)

IGNORE = Target(To.IGNORE)
INACTIVE = Target(To.INACTIVE)

Owners: TypeAlias = Callable[[str], Sequence[str]]
"""The accounts, and the addresses of accounts, that may send as this address, in lower case. Raises Unavailable."""


def in_table(table: Table) -> LookUp:
    """Its aliases. One that is not active is INACTIVE, and so is one in a domain that is not, or of whose destinations all are registered
    as inactive; where a domain or a destination is not registered, it counts as active. What people wrote there is not trusted."""

    def look_up(address: str) -> Sequence[Target]:
        alias = _alias(table, address)
        if alias is None:
            return ()
        if not alias.active or not _is_open(_domain(table, alias.domain)):
            return (INACTIVE,)
        return (IGNORE,) if alias.ignore else _targets(table, alias.destinations)

    return look_up


def left_in_table(table: Table) -> LookUp:
    """What its domains have for addresses that are no alias: nothing where a domain is not active."""

    def look_up(address: str) -> Sequence[Target]:
        domain = _domain(table, Address.parse(address).domain)
        return _targets(table, domain.catch_all) if domain and domain.active and domain.catch_all else ()

    return look_up


def owners(table: Table) -> Owners:
    """Whose aliases they are, and to whom their mail goes. Nobody sends as what takes no mail: no answer could come back."""

    def look_up(address: str) -> Sequence[str]:
        alias = _alias(table, address)
        if alias is None or not alias.active or not _is_open(_domain(table, alias.domain)):
            return ()
        found = [target.text for target in _targets(table, alias.destinations) if "@" in target.text]
        return [alias.owner, *found] if alias.owner else found

    return look_up


class Uses:
    """Counts the uses of aliases. `counted` is the look-up of `table` that `model` asks. Blocking, and as thread-safe as they are."""

    def __init__(self, model: Model, counted: LookUp, table: Table) -> None:
        self._model = model
        self._counted = counted
        self._table = table

    def count(self, recipients: Iterable[str]) -> None:
        """One use of each alias that one message to these recipients was addressed to, however many of them lead to it. An alias to which
        another one leads is not counted. Never raises: mail does not wait for a count."""
        try:
            found = dict.fromkeys(filter(None, map(self._address, recipients)))
            for address in map(Address.parse, found):
                self._table.count_use(address.local, address.domain)
        except MailError as error:
            log.warning("a use of an alias could not be counted: %s", error)
        except Exception:
            log.exception("a use of an alias could not be counted")

    def _address(self, recipient: str) -> str | None:
        found = self._model.entry(recipient)
        return found[0] if found is not None and found[1] is self._counted else None


def _alias(table: Table, address: str) -> Alias | None:
    parsed = Address.parse(address)
    return table.get(parsed.local, parsed.domain)


def _domain(table: Table, name: str) -> Domain | None:
    return next((domain for domain in table.domains() or () if domain.name == name), None)


def _is_open(domain: Domain | None) -> bool:
    return domain is None or domain.active


def _targets(table: Table, destinations: Sequence[str]) -> Sequence[Target]:
    """An alias without any leads to nothing that could be read, so that its mail is held."""
    closed = {record.address.lower() for record in table.destinations() if not record.active}
    left = [text for text in destinations or ("",) if text.lower() not in closed]
    return [Target(To.DELIVER, text) for text in left] or (INACTIVE,)
