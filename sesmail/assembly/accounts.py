"""What accounts are called, by whatever name people know them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sesmail.assembly.residents import names
from sesmail.auth.names import UnknownUser, fold
from sesmail.config.table import Config


def by_address(config: Config) -> Mapping[str, str]:
    """The accounts of the configuration, by addresses that are nobody's name."""
    known = names(config)
    users = config.auth.users if "static" in config.auth.checkers else ()
    named = {known.complete(user.name.encode()) for user in users}
    found = {fold(user.address): known.complete(user.name.encode()) for user in users if user.address}
    return {address: name for address, name in found.items() if address not in named}


def account_of(config: Config) -> Callable[[str], str]:
    """The name that a login has, of one that people have written: with the default domain, and for the address that an account has in the
    configuration. What can be no name stays as it is."""
    known, accounts = names(config), by_address(config)

    def account(text: str) -> str:
        try:
            name = known.complete(text.encode())
        except (UnknownUser, UnicodeEncodeError):
            return text
        return accounts.get(name, name) if text else ""

    return account
