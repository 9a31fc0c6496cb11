"""The pace at which mail leaves, with the quota asked for where it is set: at the next hop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Protocol

from sesmail.relay.pace import Quota

log = logging.getLogger(__name__)


class Paced(Protocol):
    """See pace.Pace. One for all who send by one account of the next hop. Raises Unavailable when it cannot be reached."""

    def stale(self) -> bool: ...

    def learn(self, quota: Quota) -> None: ...

    def take(self, count: int, key: Hashable = None, patience: float = 5.0) -> float: ...

    def throttled(self, wait: float | None = None) -> None: ...


class Rate:
    """Thread-safe. `quota` may block; it is asked by one thread at a time, every few minutes and after a throttle."""

    def __init__(self, quota: Callable[[], Quota], pace: Paced) -> None:
        self._ask = quota
        self._pace = pace

    def take(self, count: int, key: Hashable = None, patience: float = 5.0) -> float:
        """See Pace."""
        if self._pace.stale():
            self._refresh()
        return self._pace.take(count, key, patience)

    def throttled(self, wait: float | None = None) -> None:
        """See Pace."""
        self._pace.throttled(wait)

    def _refresh(self) -> None:
        try:
            quota = self._ask()
        except Exception as error:
            log.warning("the sending quota is not known, what was known before stays: %s", error)
        else:
            self._pace.learn(quota)
