"""Which accounts may send as which addresses, by the map of the configuration and by the table of aliases. Blocking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sesmail.aliases.lookups import Owners
from sesmail.aliases.model import AddressRules
from sesmail.auth.names import Names, UnknownUser, fold
from sesmail.mail.address import Address


class Senders:
    """`tables` are asked in turn for the accounts and addresses that an address belongs to. `accounts`: those whose address is not
    their name, by their address, both in the form that logins have."""

    def __init__(
        self, names: Names, rules: AddressRules, tables: Sequence[Owners], accounts: Mapping[str, str] | None = None
    ) -> None:
        self._names = names
        self._rules = rules
        self._tables = tuple(tables)
        self._accounts = accounts or {}

    def may_send_as(self, account: str, address: str) -> bool:
        """Whether the address, or else the one without its tag, belongs to this account by the first table that knows it. Raises
        Unavailable."""
        for text in self._rules.spellings(Address.parse(fold(address))):
            for table in self._tables:
                if owners := table(text):
                    return any(account == self._name(owner) for owner in owners)
        return False

    def _name(self, owner: str) -> str | None:
        try:
            name = self._names.complete(owner.encode())
        except (UnknownUser, UnicodeEncodeError):
            return None
        return self._accounts.get(name, name)
