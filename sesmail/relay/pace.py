"""How fast mail may leave: a token bucket in recipients, filled as fast as the next hop says it may be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass

# Recipients a second while the quota is not known: little enough for most accounts, and a throttle lowers it.
MODEST = 5.0
_DAY = 86_400.0
_REFRESH = 300.0
_REFRESH_FAILED = 60.0
# Waits longer than this are not reserved; whoever must wait longer asks again.
_HORIZON = 900.0
# A reserved place that nobody takes up is free again after so many seconds.
_KEPT = 600.0
_SLOW = 60.0
_SLOWEST = 1 / 16
_LEAST_PAUSE = 1.0
_NOTHING = 0.001


@dataclass(frozen=True)
class Quota:
    """What the next hop allows, in recipients. `per_day` counts the last 24 hours and is None where there is no limit."""

    per_second: float
    per_day: float | None
    sent_last_day: float
    enabled: bool


class Pace:
    """Thread-safe, and never waits for anything. `now` is a clock that never goes back. `override`: recipients a second, instead of
    what the quota says."""

    def __init__(self, *, now: Callable[[], float], override: float | None = None) -> None:
        self._now = now
        self._override = override
        self._lock = threading.Lock()
        self._quota = Quota(MODEST, None, 0.0, True)
        self._ask_again = now()
        # When the bucket was, or will be, empty; nobody may go before `_paused`.
        self._empty = now() - 1.0
        self._paused = now()
        self._factor = 1.0
        self._slow_until = now()
        self._sent = 0
        self._places: dict[Hashable, list[float]] = {}

    def stale(self) -> bool:
        """True for one caller every few minutes and after a throttle: he is to ask for the quota and to tell it by `learn`. Who fails
        need say nothing; another one is asked a minute later."""
        with self._lock:
            now = self._now()
            if now < self._ask_again:
                return False
            self._ask_again = now + _REFRESH_FAILED
            return True

    def learn(self, quota: Quota) -> None:
        """This is the quota now."""
        with self._lock:
            self._quota, self._sent = quota, 0
            self._ask_again = self._now() + _REFRESH

    def take(self, count: int, key: Hashable = None, patience: float = 5.0) -> float:
        """Take leave to send to `count` recipients, and return how many seconds to wait first.

        Up to `patience` seconds the caller waits and then sends. A longer wait means: not now; he comes back after it with the same
        `key`, and finds his place kept.
        """
        with self._lock:
            now = self._now()
            self._recover(now)
            spent = self._spent(count)
            if spent > 0:
                return spent
            at = self._kept(now, key, patience)
            if at is None:
                at = self._reserved(now, count, key, patience)
            wait = max(at, self._paused) - now
            return wait if wait > _NOTHING else 0.0

    def throttled(self, wait: float | None = None) -> None:
        """The next hop says that it was too fast: nobody goes for `wait` seconds, then everybody more slowly for a minute."""
        with self._lock:
            now = self._now()
            if now >= self._paused:
                # What several messages were told at once counts once.
                self._factor = max(self._factor / 2, _SLOWEST)
            self._paused = max(self._paused, now + max(wait or 0.0, _LEAST_PAUSE))
            self._slow_until = self._paused + _SLOW
            self._ask_again = min(self._ask_again, now + _REFRESH_FAILED)

    def _recover(self, now: float) -> None:
        while self._factor < 1.0 and now >= self._slow_until:
            self._factor = min(1.0, self._factor * 2)
            self._slow_until += _SLOW
        for key in [key for key, places in self._places.items() if places[-1] < now - _KEPT]:
            del self._places[key]

    def _per_second(self) -> float:
        return max(self._override or self._quota.per_second, 0.01) * self._factor

    def _spent(self, count: int) -> float:
        """Seconds to wait because the day's share is used up, or sending is switched off altogether."""
        quota = self._quota
        if not quota.enabled:
            return _REFRESH
        if quota.per_day is None or quota.sent_last_day + self._sent + min(count, quota.per_day) <= quota.per_day:
            return 0.0
        # A day's share comes back bit by bit, as the mail of the day before grows old.
        return min(max(count * _DAY / max(quota.per_day, 1.0), _REFRESH), 12 * _REFRESH)

    def _reserved(self, now: float, count: int, key: Hashable, patience: float) -> float:
        per_second = self._per_second()
        burst = max(per_second, 1.0)
        # A bucket is never more than full.
        empty = max(self._empty, now - burst / per_second)
        at = empty + min(count, burst) / per_second
        if at > now + _HORIZON:
            return now + _HORIZON
        self._empty = empty + count / per_second
        self._sent += count
        if max(at, self._paused) > now + patience:
            self._places.setdefault(key, []).append(at)
        return at

    def _kept(self, now: float, key: Hashable, patience: float) -> float | None:
        places = self._places.get(key)
        if not places:
            return None
        if max(places[0], self._paused) > now + patience:
            return places[0]
        at = places.pop(0)
        if not places:
            del self._places[key]
        return at
