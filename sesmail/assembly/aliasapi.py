"""The API over the table of aliases, with the rights that the configuration gives, and the programs that may use it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from sesmail.aliases.model import AddressRules
from sesmail.aliases.table import Table
from sesmail.api.http import Caller
from sesmail.api.respond import Api
from sesmail.api.rights import Rights
from sesmail.api.tokens import caller
from sesmail.assembly.accounts import AccountOf, account_of
from sesmail.assembly.residents import Residents
from sesmail.assembly.routing import address_rules
from sesmail.config.table import Config
from sesmail.mail.address import Address


def alias_api(config: Config, table: Table, people: Residents, account: AccountOf | None = None) -> Api:
    """`people` are asked whether a name is taken by an account, `account` what one is called. The table is asked itself: what was just changed must be seen."""
    account = account or account_of(config)
    rights = Rights(
        is_mailbox=_mailboxes(address_rules(config), people),
        separators=config.routing.separators,
        store_owner=account(config.aliases.mailbox or ""),
        domains=frozenset(config.mailboxes.domains or ()),
        account=account,
        most_aliases=config.page.most_aliases,
    )
    return Api(table, now=time.time, new_id=lambda: str(uuid.uuid4()), rights=rights, tacomail=config.page.tacomail)


def administrators(config: Config) -> frozenset[str]:
    """Their accounts."""
    return frozenset(map(account_of(config), config.page.admins))


def programs(config: Config, account: AccountOf, now: Callable[[], float] = time.time) -> Callable[[str], Caller]:
    """Tells by its token for which account a program asks, and raises BadLogin. Without a secret it always does. `account` says what an
    account is called."""
    admins = administrators(config)
    return lambda token: caller(token, config.page.token_secret or "", now(), admins, account)


def _mailboxes(rules: AddressRules, people: Residents) -> Callable[[str], bool]:
    """Whether mail for an address comes to an account: by its name, as another domain's, or because everybody has a mailbox there."""

    def is_mailbox(address: str) -> bool:
        spellings = [Address.parse(text) for text in rules.spellings(Address.parse(address))]
        return any(one.domain in rules.open_domains or people.place(str(one)) is not None for one in spellings)

    return is_mailbox
