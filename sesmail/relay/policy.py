"""Who may send as whom, and to whom: the rules of submission, whatever protocol asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from sesmail.errors import Limited, Malformed, NoSuchMailbox, Refused
from sesmail.interfaces import Account
from sesmail.mail.address import Address, same
from sesmail.relay.hourly import Spent

# May this account (its canonical name) send as this address? Raises Unavailable when that could not be found out.
MaySendAs = Callable[[str, str], Awaitable[bool]]
# Is there a mailbox here for this address of a local domain? Raises Unavailable.
Accepts = Callable[[str], Awaitable[bool]]
# Returns when mail can be sent to this domain. Raises Refused, Unavailable.
CheckDomain = Callable[[str], Awaitable[None]]

_NOT_YOURS = "553 5.7.1"


@dataclass(frozen=True)
class Rules:
    """What the configuration says.

    Addresses are in lower case, and ``@domain`` stands for all of that domain. `grants` are by the account's canonical name. `allow`
    and `deny` are about recipients; an empty `allow` allows all.
    """

    grants: Mapping[str, frozenset[str]] = field(default_factory=dict)
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    local_domains: frozenset[str] = frozenset()
    max_recipients: int = 500


class Policy:
    """One for all sessions. `hourly` counts each account's recipients; without it nobody has a limit.

    Without `check_domain` any domain that is fully qualified will do.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        may_send_as: MaySendAs,
        accepts: Accepts,
        check_domain: CheckDomain | None = None,
        hourly: Spent | None = None,
    ) -> None:
        self._rules = rules
        self._may_send_as = may_send_as
        self._accepts = accepts
        self._check_domain = check_domain
        self._hourly = hourly

    async def check_sender(self, account: Account, address: str) -> None:
        """Raises Refused unless the account may send as `address`, Unavailable when that could not be found out.

        It may as its own address, with or without a tag, as what it was granted, and as what the aliases lead to it. An account
        without a verified address has no own one.
        """
        own = own_address(account)
        if own and is_or_is_tagged(address, own):
            return
        if matches(self._rules.grants.get(account.name, frozenset()), address):
            return
        if not await self._may_send_as(account.name, address):
            raise Refused(f"{account.name} may not send as {address}", smtp=_NOT_YOURS)

    async def check_recipient(self, account: Account, address: str, count: int) -> None:
        """Raises Refused, NoSuchMailbox, Limited or Unavailable unless it may be sent there, beside `count` other recipients."""
        rules = self._rules
        parsed = Address.parse(address)
        if count >= rules.max_recipients:
            raise Limited(f"at most {rules.max_recipients} recipients, send to the others in another message", smtp="452 4.5.3")
        if not parsed.qualified:
            raise Refused("the recipient's domain must be written in full", smtp="550 5.1.2")
        if matches(rules.deny, address) or (rules.allow and not matches(rules.allow, address)):
            raise Refused(f"mail may not be sent to {address} from here", smtp="550 5.7.1")
        if self._hourly is not None:
            self._hourly.check(account.name, count + 1)
        if parsed.domain in rules.local_domains:
            if not await self._accepts(address):
                raise NoSuchMailbox(f"there is no mailbox {address} here", smtp="550 5.1.1")
        elif self._check_domain is not None:
            await self._check_domain(parsed.domain)

    def spend(self, account: Account, recipients: int) -> None:
        """The account sends to so many now. Raises Limited."""
        if self._hourly is not None:
            self._hourly.spend(account.name, recipients)


def own_address(account: Account) -> str:
    """The account's verified address, ``""`` when it has none, or one that SMTP cannot carry."""
    try:
        return str(Address.parse(account.address or ""))
    except Malformed:
        return ""


def is_or_is_tagged(address: str, own: str) -> bool:
    """Whether it is this very address, or this with a tag (``tom+shop@example.com``), in any case."""
    return same(address, own) or same(Address.parse(address).without_tag, own)


def matches(patterns: frozenset[str], address: str) -> bool:
    """Whether one of the patterns is this address, the address without its tag, or its domain."""
    parsed = Address.parse(address)
    return not patterns.isdisjoint({str(parsed).lower(), str(parsed.without_tag).lower(), f"@{parsed.domain}"})
