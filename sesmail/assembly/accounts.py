"""What accounts are called, by whatever name people know them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from sesmail.assembly.residents import names
from sesmail.auth.names import UnknownUser, fold
from sesmail.config.table import Config

AccountOf: TypeAlias = Callable[[str], str]


class ByAddress(Mapping[str, str]):
    """The accounts of the configuration, by addresses that are nobody's name."""

    def __init__(self, config: Config) -> None:
        self._found = _found(config)

    def change(self, config: Config) -> None:
        """Those of this configuration from now on."""
        self._found = _found(config)

    def __getitem__(self, address: str) -> str:
        return self._found[address]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _found(config: Config) -> Mapping[str, str]:
    known = names(config)
    users = config.auth.users if "static" in config.auth.checkers else ()
    named = {known.complete(user.name.encode()) for user in users}
    found = {fold(user.address): known.complete(user.name.encode()) for user in users if user.address}
    return {address: name for address, name in found.items() if address not in named}


def account_of(config: Config, accounts: Mapping[str, str] | None = None) -> AccountOf:
    """The name that a login has, of one that people have written: with the default domain, and for the address that an account has in the
    configuration, or in `accounts`. What can be no name stays as it is."""
    known = names(config)
    accounts = ByAddress(config) if accounts is None else accounts

    def account(text: str) -> str:
        try:
            name = known.complete(text.encode())
        except (UnknownUser, UnicodeEncodeError):
            return text
        return accounts.get(name, name) if text else ""

    return account
