"""How many recipients an account may have in an hour."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sesmail.errors import Limited

_HOUR = 3600.0


@dataclass
class _Spent:
    amount: float
    at: float


class Spent(Protocol):
    """See Hourly. Raises Unavailable, too, where that cannot be known."""

    def check(self, account: str, recipients: int) -> None: ...
    def spend(self, account: str, recipients: int) -> None: ...


class Hourly:
    """A bucket for each account that holds `most` recipients and fills up within an hour. `now` gives seconds.

    At most `accounts` buckets are kept; when there are more, the ones used least recently count as full again.
    """

    def __init__(self, most: int, now: Callable[[], float], *, accounts: int = 10_000) -> None:
        self._most = most
        self._now = now
        self._accounts = accounts
        self._spent: OrderedDict[str, _Spent] = OrderedDict()

    def check(self, account: str, recipients: int) -> None:
        """Raises Limited when the account may not send to so many now."""
        if self._left(account) < recipients:
            raise Limited(f"more than {self._most} recipients within an hour, try again later", smtp="452 4.7.1")

    def spend(self, account: str, recipients: int) -> None:
        """The same, and counts them when it may."""
        self.check(account, recipients)
        self._spent[account] = _Spent(self._most - self._left(account) + recipients, self._now())
        self._spent.move_to_end(account)
        while len(self._spent) > self._accounts:
            self._spent.popitem(last=False)

    def _left(self, account: str) -> float:
        spent = self._spent.get(account)
        if spent is None:
            return float(self._most)
        return self._most - max(0.0, spent.amount - (self._now() - spent.at) * self._most / _HOUR)
