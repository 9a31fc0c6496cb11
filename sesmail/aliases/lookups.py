"""A table of aliases as routing and submission ask it: where mail for an address goes, and who may send as it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sesmail.aliases.model import Disposition as To
from sesmail.aliases.model import LookUp, Model, Target
from sesmail.aliases.records import IN_STORE, Alias
from sesmail.aliases.table import Counted, Known
from sesmail.errors import MailError
from sesmail.mail.address import Address

log = logging.getLogger(__name__)

IGNORE = Target(To.IGNORE)
INACTIVE = Target(To.INACTIVE)
_MAILBOX = "mailbox:"

Owners: TypeAlias = Callable[[str], Sequence[str]]
"""The accounts, and the addresses of accounts, that may send as this address, in lower case. Raises Unavailable."""


@dataclass(frozen=True)
class Reading:
    """How a table is read. `mailbox`: the account that IN_STORE stands for; None is the owner of the alias, and where it has none what the
    configuration says of it elsewhere. `require_domain`: aliases are inactive where domains are registered and theirs is not."""

    mailbox: str | None = None
    require_domain: bool = False


def in_table(table: Known, reading: Reading) -> LookUp:
    """Its aliases. One that is not active is INACTIVE, and so is one in a domain that is not, or of whose destinations all are registered
    as inactive; where a domain or a destination is not registered, it counts as active. What people wrote there is not trusted."""

    def look_up(address: str) -> Sequence[Target]:
        alias = _alias(table, address)
        if alias is None:
            return ()
        if not _takes_mail(table, alias, reading):
            return (INACTIVE,)
        return (IGNORE,) if alias.ignore else _targets(table, alias.destinations, reading.mailbox or alias.owner)

    return look_up


def left_in_table(table: Known, reading: Reading) -> LookUp:
    """What its domains have for addresses that are no alias: nothing where a domain is not active."""

    def look_up(address: str) -> Sequence[Target]:
        domain = table.domain(Address.parse(address).domain)
        return _targets(table, domain.catch_all, reading.mailbox) if domain and domain.active and domain.catch_all else ()

    return look_up


def owners(table: Known, reading: Reading) -> Owners:
    """Whose aliases they are, and to whom their mail goes. Nobody sends as what takes no mail: no answer could come back."""

    def look_up(address: str) -> Sequence[str]:
        alias = _alias(table, address)
        if alias is None or not _takes_mail(table, alias, reading):
            return ()
        targets = _targets(table, alias.destinations, reading.mailbox or alias.owner)
        found = [target.text.removeprefix(_MAILBOX) for target in targets if target.trusted or "@" in target.text]
        return [alias.owner, *found] if alias.owner else found

    return look_up


class Uses:
    """Counts the uses of aliases. `counted` is the look-up of `table` that `model` asks. Blocking, and as thread-safe as they are."""

    def __init__(self, model: Model, counted: LookUp, table: Counted) -> None:
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


def _alias(table: Known, address: str) -> Alias | None:
    parsed = Address.parse(address)
    return table.get(parsed.local, parsed.domain)


def _takes_mail(table: Known, alias: Alias, reading: Reading) -> bool:
    if not alias.active:
        return False
    if domain := table.domain(alias.domain):
        return domain.active
    return not reading.require_domain or table.domains() is None


def _targets(table: Known, destinations: Sequence[str], mailbox: str | None) -> Sequence[Target]:
    """An alias without any leads to nothing that could be read, so that its mail is held."""
    left = [text for text in destinations or ("",) if not _is_closed(table, text)]
    return [_target(text, mailbox) for text in left] or (INACTIVE,)


def _is_closed(table: Known, text: str) -> bool:
    record = table.destination(IN_STORE if text.upper() == IN_STORE else text.lower())
    return record is not None and not record.active


def _target(text: str, mailbox: str | None) -> Target:
    if text.upper() == IN_STORE and mailbox:
        return Target(To.DELIVER, f"{_MAILBOX}{mailbox}", trusted=True)
    return Target(To.DELIVER, text)
