"""LOGIN-DELAY (RFC 2449 section 6.5): how soon an account may log in again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from sesmail.errors import Limited

ACCOUNTS = 10_000


class Delayed(Protocol):
    """See LoginDelay. `check` raises Unavailable, too, where that cannot be known."""

    def check(self, name: str) -> None: ...
    def record(self, name: str) -> None: ...


class LoginDelay:
    """Remembers when accounts last logged in, at most `limit` of them: beyond that the oldest may return early."""

    def __init__(self, seconds: float, now: Callable[[], float], *, limit: int = ACCOUNTS) -> None:
        self._seconds = seconds
        self._now = now
        self._limit = limit
        self._last: OrderedDict[str, float] = OrderedDict()

    def check(self, name: str) -> None:
        """Raises Limited when the account's last login is less than the delay ago."""
        last = self._last.get(name)
        if last is not None and self._now() < last + self._seconds:
            raise Limited("logged in too recently, try again later")

    def record(self, name: str) -> None:
        """The account has logged in now."""
        self._last[name] = self._now()
        self._last.move_to_end(name)
        while len(self._last) > self._limit or self._is_over(next(iter(self._last.values()))):
            self._last.popitem(last=False)

    def _is_over(self, last: float) -> bool:
        return last + self._seconds < self._now()
