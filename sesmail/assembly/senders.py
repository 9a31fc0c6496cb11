"""Which accounts may send as which addresses, by the map of the configuration. Blocking."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sesmail.aliases.model import AddressRules
from sesmail.auth.names import Names, UnknownUser, fold
from sesmail.mail.address import Address


class Senders:
    """`resolve` is the map: the accounts and addresses that an address leads to."""

    def __init__(self, names: Names, rules: AddressRules, resolve: Callable[[str], Sequence[str]]) -> None:
        self._names = names
        self._rules = rules
        self._resolve = resolve

    def may_send_as(self, account: str, address: str) -> bool:
        """Whether the map leads the address, or else the one without its tag, to this account. Raises Unavailable."""
        for text in self._rules.spellings(Address.parse(fold(address))):
            owners = self._resolve(text)
            if owners:
                return account in {name for owner in owners if (name := self._complete(owner)) is not None}
        return False

    def _complete(self, owner: str) -> str | None:
        try:
            return self._names.complete(owner.encode())
        except UnknownUser:
            return None
